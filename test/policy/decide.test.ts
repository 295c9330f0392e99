import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileAccess, type ResourceRef } from '../../src/policy/access.ts'
import { type Demand, decide, LEVEL_FOR, metBy } from '../../src/policy/decide.ts'
import type { Action, Grant, GrantType, Level, Tier } from '../../src/policy/grants.ts'

const on = (pattern: string, level: Level): Grant => ({
  resourceType: 'experiment',
  match: 'exact',
  pattern,
  level,
})
const experiment = (key: string | undefined): ResourceRef => ({ type: 'experiment', key })
const SERVER: ResourceRef = { type: 'server', key: undefined }
const access = (grants: readonly Grant[]) =>
  compileAccess([{ id: 'r', name: 'r', grants }], { defaultLevel: 'NO_PERMISSIONS', now: 0 })
const wanting = (action: Action, ...keys: (string | undefined)[]): Demand[] =>
  keys.map((key) => ({ action, resource: experiment(key) }))

describe('a decision', () => {
  it.each<[string, Demand[], Grant[], object]>([
    ['read with READ', wanting('read', '1'), [on('1', 'READ')], { effect: 'allow' }],
    [
      'update with READ',
      wanting('update', '1'),
      [on('1', 'READ')],
      { effect: 'deny', reason: 'level_too_low', needed: 'EDIT' },
    ],
    [
      'delete with EDIT',
      wanting('delete', '1'),
      [on('1', 'EDIT')],
      { effect: 'deny', reason: 'level_too_low', needed: 'MANAGE' },
    ],
    ['without a grant', wanting('read', '1'), [], { effect: 'deny', reason: 'no_grant', needed: 'READ' }],
    [
      'with a grant of nothing',
      wanting('read', '1'),
      [on('1', 'NO_PERMISSIONS')],
      { effect: 'deny', reason: 'no_grant' },
    ],
    [
      'denied',
      wanting('read', '1'),
      [on('1', 'MANAGE'), on('1', 'DENY')],
      { effect: 'deny', reason: 'explicit_deny' },
    ],
    [
      'one of two is not enough',
      wanting('read', '1', '2'),
      [on('1', 'READ')],
      { effect: 'deny', reason: 'no_grant' },
    ],
    [
      'whichever of the two',
      wanting('read', '2', '1'),
      [on('1', 'READ')],
      { effect: 'deny', reason: 'no_grant' },
    ],
    ['both', wanting('read', '1', '2'), [on('1', 'READ'), on('2', 'EDIT')], { effect: 'allow' }],
    [
      'what does not exist',
      wanting('read', undefined),
      [on('1', 'MANAGE')],
      { effect: 'deny', reason: 'no_grant' },
    ],
    [
      'the server',
      [{ action: 'read', resource: SERVER }],
      [on('1', 'MANAGE')],
      { effect: 'deny', reason: 'admin_only' },
    ],
    [
      'the server among others',
      [...wanting('read', '1'), { action: 'read', resource: SERVER }],
      [on('1', 'MANAGE')],
      { effect: 'deny', reason: 'admin_only' },
    ],
  ])('%s', (_, demands, grants, expected) => {
    expect(decide(demands, access(grants))).toMatchObject(expected)
  })

  it('names the first demand that failed', () => {
    const demands = [...wanting('read', '1'), ...wanting('delete', '2'), ...wanting('read', '3')]
    expect(decide(demands, access([on('1', 'READ'), on('2', 'READ')]))).toEqual({
      effect: 'deny',
      reason: 'level_too_low',
      demand: demands[1],
      needed: 'MANAGE',
      held: 'READ',
    })
  })

  // An operation that touches nothing is a mistake in the catalogue, never an allowance.
  it('is not made about nothing', () => {
    expect(() => decide([], access([on('1', 'MANAGE')]))).toThrow('asked about nothing')
  })

  it.each<[Action, Level]>([
    ['read', 'READ'],
    ['use', 'USE'],
    ['update', 'EDIT'],
    ['create', 'EDIT'],
    ['delete', 'MANAGE'],
    ['manage', 'MANAGE'],
  ])('to %s asks for %s', (action, level) => {
    expect(LEVEL_FOR[action]).toBe(level)
  })
})

describe('for any demands', () => {
  const levels = ['NO_PERMISSIONS', 'READ', 'USE', 'EDIT', 'MANAGE', 'DENY'] as const
  const keys = ['1', '2', '3']
  const grants = fc.array(
    fc.tuple(fc.constantFrom(...keys), fc.constantFrom(...levels)).map(([key, level]) => on(key, level)),
  )
  const actions = Object.keys(LEVEL_FOR) as Action[]
  const demand = fc.record({
    action: fc.constantFrom(...actions),
    resource: fc.constantFrom(...keys).map(experiment),
  })
  const demands = fc.array(demand, { minLength: 1, maxLength: 5 })

  it('all together are allowed exactly if each alone is', () => {
    fc.assert(
      fc.property(demands, grants, (asked, given) => {
        const alone = asked.map((each) => decide([each], access(given)).effect)
        expect(decide(asked, access(given)).effect).toBe(
          alone.every((effect) => effect === 'allow') ? 'allow' : 'deny',
        )
      }),
    )
  })

  it('a DENY on anything asked about refuses all of it', () => {
    fc.assert(
      fc.property(demands, grants, fc.nat(), (asked, given, pick) => {
        const denied = asked[pick % asked.length]?.resource.key ?? ''
        expect(decide(asked, access([...given, on(denied, 'DENY')])).effect).toBe('deny')
      }),
    )
  })

  it('one more demand allows nothing that was refused', () => {
    fc.assert(
      fc.property(demands, demand, grants, (asked, more, given) => {
        if (decide(asked, access(given)).effect === 'deny') {
          expect(decide([...asked, more], access(given)).effect).toBe('deny')
        }
      }),
    )
  })
})

describe('what lies in a resource', () => {
  const all = (resourceType: GrantType, level: Level): Grant => ({
    resourceType,
    match: 'any',
    pattern: '*',
    level,
  })
  const inside = (tier: Tier): ResourceRef => ({ ...experiment('1'), tier })
  const ALLOWED = { effect: 'allow' }
  const denied = (reason: string, needed: Level, held: Level) => ({ effect: 'deny', reason, needed, held })

  it.each<[string, Demand, Grant[], object]>([
    ['is judged by the resource', { action: 'update', resource: inside('run') }, [on('1', 'EDIT')], ALLOWED],
    [
      'is judged by a grant on all of its kind, if there is one',
      { action: 'update', resource: inside('run') },
      [on('1', 'READ'), all('run', 'EDIT')],
      ALLOWED,
    ],
    [
      'also where that says less',
      { action: 'update', resource: inside('run') },
      [on('1', 'MANAGE'), all('run', 'READ')],
      denied('level_too_low', 'EDIT', 'READ'),
    ],
    [
      "is nobody's who cannot read the resource",
      { action: 'read', resource: inside('run') },
      [all('run', 'MANAGE')],
      denied('no_grant', 'READ', 'NO_PERMISSIONS'),
    ],
    [
      'is denied with the resource',
      { action: 'read', resource: inside('run') },
      [on('1', 'DENY'), all('run', 'MANAGE')],
      denied('explicit_deny', 'READ', 'DENY'),
    ],
    [
      'can be denied alone',
      { action: 'read', resource: inside('run') },
      [on('1', 'MANAGE'), all('run', 'DENY')],
      denied('explicit_deny', 'READ', 'DENY'),
    ],
    [
      'is not judged by a grant on another kind',
      { action: 'read', resource: inside('run') },
      [on('1', 'READ'), all('trace', 'DENY')],
      ALLOWED,
    ],
    [
      'asks for less of the resource where the row says so',
      { action: 'delete', resource: inside('assessment'), inherited: 'update' },
      [on('1', 'EDIT')],
      ALLOWED,
    ],
    [
      'but for the whole of its own kind',
      { action: 'delete', resource: inside('assessment'), inherited: 'update' },
      [on('1', 'MANAGE'), all('assessment', 'EDIT')],
      denied('level_too_low', 'MANAGE', 'EDIT'),
    ],
    [
      'is not taken from an editor by a grant that adds',
      { action: 'update', resource: inside('trace'), either: true },
      [on('1', 'EDIT'), all('trace', 'READ')],
      ALLOWED,
    ],
    [
      'is given to a reader by a grant that adds',
      { action: 'update', resource: inside('trace'), either: true },
      [on('1', 'READ'), all('trace', 'EDIT')],
      ALLOWED,
    ],
    [
      'is taken from an editor by one that denies',
      { action: 'update', resource: inside('trace'), either: true },
      [on('1', 'EDIT'), all('trace', 'DENY')],
      denied('explicit_deny', 'EDIT', 'DENY'),
    ],
    ['vetoes nothing by saying nothing', { action: 'not_denied', resource: inside('run') }, [], ALLOWED],
    [
      'vetoes by DENY',
      { action: 'not_denied', resource: inside('run') },
      [all('run', 'DENY')],
      denied('explicit_deny', 'NO_PERMISSIONS', 'DENY'),
    ],
    [
      'vetoes by DENY alone',
      { action: 'not_denied', resource: inside('run') },
      [all('run', 'READ')],
      ALLOWED,
    ],
    [
      "is all an administrator's of the workspace, whatever denies it",
      { action: 'delete', resource: inside('run') },
      [on('1', 'DENY'), all('run', 'DENY'), all('workspace', 'MANAGE')],
      ALLOWED,
    ],
    [
      'is nothing to a member of the workspace',
      { action: 'read', resource: inside('run') },
      [all('workspace', 'USE')],
      denied('no_grant', 'READ', 'NO_PERMISSIONS'),
    ],
  ])('%s', (_, demand, grants, expected) => {
    expect(decide([demand], access(grants))).toMatchObject(expected)
  })
})

describe('what is enough in place of a demand', () => {
  const demand: Demand = {
    action: 'read',
    resource: experiment('1'),
    anyOf: [
      { action: 'read', resource: experiment('2') },
      { action: 'read', resource: experiment('3') },
    ],
  }
  it.each<[string, Grant[], object, string]>([
    ['itself', [on('1', 'READ')], { effect: 'allow' }, '1'],
    ['itself first', [on('1', 'READ'), on('2', 'READ')], { effect: 'allow' }, '1'],
    ['the first that is met', [on('3', 'READ')], { effect: 'allow' }, '3'],
    ['not what is denied', [on('2', 'DENY'), on('3', 'READ')], { effect: 'allow' }, '3'],
    ['nothing', [on('4', 'MANAGE')], { effect: 'deny', reason: 'no_grant', demand }, '1'],
    [
      'nothing, where the demand itself is denied',
      [on('1', 'DENY'), on('2', 'MANAGE')],
      { effect: 'deny', reason: 'explicit_deny', demand },
      '1',
    ],
  ])('%s', (_, grants, expected, by) => {
    expect(decide([demand], access(grants))).toMatchObject(expected)
    expect(metBy([demand], access(grants)).map(({ resource }) => resource.key)).toEqual([by])
  })

  it('meets that demand, and no other', () => {
    const others = wanting('read', '5')
    expect(decide([demand, ...others], access([on('2', 'READ')]))).toMatchObject({ demand: others[0] })
  })
})

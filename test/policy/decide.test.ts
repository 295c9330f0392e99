import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileAccess, type ResourceRef } from '../../src/policy/access.ts'
import { type Demand, decide, LEVEL_FOR } from '../../src/policy/decide.ts'
import type { Action, Grant, Level } from '../../src/policy/grants.ts'

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

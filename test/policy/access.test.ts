import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileAccess, type ResourceRef, satisfies } from '../../src/policy/access.ts'
import type { Grant, Level, Match, ResourceType } from '../../src/policy/grants.ts'

const NOW = 1000
const LEVELS = ['NO_PERMISSIONS', 'READ', 'USE', 'EDIT', 'MANAGE', 'DENY'] as const satisfies readonly Level[]
const TYPES = ['experiment', 'registered_model', 'prompt'] as const satisfies readonly ResourceType[]

const on = (
  match: Match,
  pattern: string,
  level: Level,
  type: ResourceType = 'experiment',
  expiresAt?: number,
): Grant => ({
  resourceType: type,
  match,
  pattern,
  level,
  expiresAt,
})
const access = (grants: readonly Grant[], defaultLevel: Level = 'NO_PERMISSIONS') =>
  compileAccess([{ id: 'r', name: 'r', grants }], { defaultLevel, now: NOW })
const experiment = (key: string | undefined, name?: string): ResourceRef => ({
  type: 'experiment',
  key,
  name,
})

describe('the level on a resource', () => {
  it.each<[string, Grant[], ResourceRef, Level]>([
    ['nothing without a grant', [], experiment('1', 'a'), 'NO_PERMISSIONS'],
    ['what a grant on its key says', [on('exact', '1', 'READ')], experiment('1'), 'READ'],
    ['nothing for another key', [on('exact', '1', 'READ')], experiment('11'), 'NO_PERMISSIONS'],
    ['nothing for a key in another case', [on('exact', 'a', 'READ')], experiment('A'), 'NO_PERMISSIONS'],
    ['nothing for a name like the key', [on('exact', '1', 'READ')], experiment('2', '1'), 'NO_PERMISSIONS'],
    ['what a grant on its name says', [on('name', 'alpha/*', 'EDIT')], experiment('1', 'alpha/x'), 'EDIT'],
    [
      'nothing for a key like the name',
      [on('name', 'alpha/*', 'EDIT')],
      experiment('alpha/x', 'beta'),
      'NO_PERMISSIONS',
    ],
    ['nothing if the name is not known', [on('name', '*', 'EDIT')], experiment('1'), 'NO_PERMISSIONS'],
    ['what a grant on everything says', [on('any', '*', 'USE')], experiment('1', 'x'), 'USE'],
    ['that also of what does not exist', [on('any', '*', 'USE')], experiment(undefined), 'USE'],
    [
      'the best of several',
      [on('exact', '1', 'READ'), on('name', 'a*', 'MANAGE'), on('any', '*', 'EDIT')],
      experiment('1', 'a'),
      'MANAGE',
    ],
    [
      'the best of two on one key',
      [on('exact', '1', 'EDIT'), on('exact', '1', 'READ')],
      experiment('1'),
      'EDIT',
    ],
    [
      'not less for a grant of nothing',
      [on('any', '*', 'READ'), on('exact', '1', 'NO_PERMISSIONS')],
      experiment('1'),
      'READ',
    ],
    ['DENY by key', [on('any', '*', 'MANAGE'), on('exact', '1', 'DENY')], experiment('1'), 'DENY'],
    [
      'DENY by key, in any order',
      [on('exact', '1', 'DENY'), on('exact', '1', 'MANAGE')],
      experiment('1'),
      'DENY',
    ],
    [
      'DENY by name',
      [on('exact', '1', 'MANAGE'), on('name', '*secret', 'DENY')],
      experiment('1', 'my secret'),
      'DENY',
    ],
    ['DENY on everything', [on('exact', '1', 'MANAGE'), on('any', '*', 'DENY')], experiment('1'), 'DENY'],
    ['no DENY of another', [on('any', '*', 'READ'), on('exact', '1', 'DENY')], experiment('2'), 'READ'],
    [
      'nothing for another type',
      [on('any', '*', 'MANAGE', 'registered_model')],
      experiment('1'),
      'NO_PERMISSIONS',
    ],
    [
      'nothing on the server, for anybody',
      [on('any', '*', 'MANAGE'), on('exact', '', 'MANAGE')],
      { type: 'server', key: undefined },
      'NO_PERMISSIONS',
    ],
    [
      'nothing for a pattern that looks like everything',
      [on('exact', '*', 'MANAGE')],
      experiment('1', 'x'),
      'NO_PERMISSIONS',
    ],
    [
      'nothing for a pattern that looks like a name pattern',
      [on('exact', 'a*', 'MANAGE')],
      experiment('ab', 'ab'),
      'NO_PERMISSIONS',
    ],
  ])('is %s', (_, grants, resource, level) => {
    expect(access(grants).levelOf(resource)).toBe(level)
  })

  it('of a model that is called * is that of no other', () => {
    const star = access([on('exact', '*', 'MANAGE', 'registered_model')])
    expect(star.levelOf({ type: 'registered_model', key: '*', name: '*' })).toBe('MANAGE')
    expect(star.levelOf({ type: 'registered_model', key: 'model', name: 'model' })).toBe('NO_PERMISSIONS')
    expect(star.needsName('registered_model')).toBe(false)
  })

  it('is at least the default, unless denied', () => {
    const grants = [on('exact', '1', 'EDIT'), on('exact', '2', 'DENY'), on('exact', '3', 'NO_PERMISSIONS')]
    expect(['1', '2', '3', '4'].map((key) => access(grants, 'READ').levelOf(experiment(key)))).toEqual([
      'EDIT',
      'DENY',
      'READ',
      'READ',
    ])
    expect(access([], 'READ').levelOf({ type: 'server', key: undefined })).toBe('NO_PERMISSIONS')
  })

  it('comes from all roles together', () => {
    const roles = [
      { id: 'a', name: 'a', grants: [on('exact', '1', 'READ')] },
      { id: 'b', name: 'b', grants: [on('exact', '1', 'EDIT'), on('exact', '2', 'READ')] },
      { id: 'c', name: 'c', grants: [] },
    ]
    const both = compileAccess(roles, { defaultLevel: 'NO_PERMISSIONS', now: NOW })
    expect([both.levelOf(experiment('1')), both.levelOf(experiment('2'))]).toEqual(['EDIT', 'READ'])
  })

  it('knows keys that an object would have by itself only if they were granted', () => {
    const none = access([])
    for (const key of ['__proto__', 'constructor', 'toString'])
      expect(none.levelOf(experiment(key, key))).toBe('NO_PERMISSIONS')
    expect(access([on('exact', '__proto__', 'READ')]).levelOf(experiment('__proto__'))).toBe('READ')
  })
})

describe('a grant that expires', () => {
  it.each([
    [NOW - 1, 'NO_PERMISSIONS'],
    [NOW, 'NO_PERMISSIONS'],
    [NOW + 1, 'READ'],
    [undefined, 'READ'],
  ])('at %s, at second 1000: %s', (expiresAt, level) => {
    expect(access([on('exact', '1', 'READ', 'experiment', expiresAt)]).levelOf(experiment('1'))).toBe(level)
  })

  it('bounds how long the answer holds, by the first that expires', () => {
    const grants = [
      on('exact', '1', 'READ', 'experiment', NOW + 50),
      on('name', 'x', 'READ', 'prompt', NOW + 20),
      on('any', '*', 'READ', 'experiment', NOW - 20),
      on('any', '*', 'READ'),
    ]
    expect(access(grants).validUntil).toBe(NOW + 20)
    expect(access([on('any', '*', 'READ')]).validUntil).toBe(Number.POSITIVE_INFINITY)
  })

  it('denies only until then', () => {
    const grants = [on('any', '*', 'MANAGE'), on('exact', '1', 'DENY', 'experiment', NOW)]
    expect(access(grants).levelOf(experiment('1'))).toBe('MANAGE')
    expect(access(grants).uniform('experiment')).toBe('MANAGE')
    expect(access([on('name', '*', 'READ', 'experiment', NOW)]).needsName('experiment')).toBe(false)
  })
})

describe('whether names matter', () => {
  it.each<[Grant[], boolean]>([
    [[], false],
    [[on('any', '*', 'READ'), on('exact', '1', 'DENY')], false],
    [[on('name', 'a', 'READ')], true],
    [[on('name', 'a', 'DENY')], true],
    [[on('name', 'a', 'READ', 'prompt')], false],
  ])('%j: %s', (grants, expected) => {
    expect(access(grants).needsName('experiment')).toBe(expected)
  })
})

describe('the level on everything of a type', () => {
  it.each<[Grant[], Level | undefined]>([
    [[], 'NO_PERMISSIONS'],
    [[on('any', '*', 'READ')], 'READ'],
    [[on('any', '*', 'READ'), on('exact', '1', 'READ')], 'READ'],
    [[on('any', '*', 'EDIT'), on('name', 'a*', 'READ')], 'EDIT'],
    [[on('any', '*', 'READ'), on('exact', '1', 'DENY')], undefined],
    [[on('any', '*', 'MANAGE'), on('name', 'a*', 'DENY')], undefined],
    [[on('any', '*', 'DENY'), on('exact', '1', 'MANAGE')], 'DENY'],
    [[on('exact', '1', 'READ')], undefined],
    [[on('any', '*', 'MANAGE'), on('exact', '1', 'DENY', 'prompt')], 'MANAGE'],
  ])('with %j is %s', (grants, expected) => {
    expect(access(grants).uniform('experiment')).toBe(expected)
  })
})

describe('the patterns under which something may be made', () => {
  it('are those of the wanted level, and * for everything', () => {
    const grants = [
      on('name', 'a/*', 'EDIT'),
      on('name', 'b/*', 'READ'),
      on('name', 'c/*', 'DENY'),
      on('name', 'd/*', 'MANAGE'),
      on('exact', '1', 'EDIT'),
    ]
    expect(access(grants).patterns('experiment', 'EDIT')).toEqual(['a/*', 'd/*'])
    expect(access([...grants, on('any', '*', 'EDIT')]).patterns('experiment', 'EDIT')).toEqual([
      '*',
      'a/*',
      'd/*',
    ])
    expect(access(grants).patterns('prompt', 'EDIT')).toEqual([])
  })
})

describe('satisfies', () => {
  it.each<[Level, readonly Level[]]>([
    ['DENY', []],
    ['NO_PERMISSIONS', ['NO_PERMISSIONS']],
    ['READ', ['NO_PERMISSIONS', 'READ']],
    ['USE', ['NO_PERMISSIONS', 'READ', 'USE']],
    ['EDIT', ['NO_PERMISSIONS', 'READ', 'USE', 'EDIT']],
    ['MANAGE', ['NO_PERMISSIONS', 'READ', 'USE', 'EDIT', 'MANAGE']],
  ])('%s satisfies %j', (held, wanted) => {
    expect(LEVELS.filter((level) => satisfies(held, level))).toEqual(wanted)
  })
})

describe('for any grants', () => {
  const key = fc.constantFrom('1', '2', 'a', 'ab', '*')
  const grant: fc.Arbitrary<Grant> = fc.record({
    resourceType: fc.constantFrom(...TYPES),
    match: fc.constantFrom<Match>('exact', 'name', 'any'),
    pattern: fc.oneof(key, fc.constantFrom('a*', '*b')),
    level: fc.constantFrom(...LEVELS),
    expiresAt: fc.option(fc.integer({ min: NOW - 2, max: NOW + 2 }), { nil: undefined }),
  })
  const grants = fc.array(grant, { maxLength: 8 })
  const resource: fc.Arbitrary<ResourceRef> = fc.record({
    type: fc.constantFrom(...TYPES, 'server' as const),
    key: fc.option(key, { nil: undefined }),
    name: fc.option(key, { nil: undefined }),
  })
  const floor = fc.constantFrom<Level>('NO_PERMISSIONS', 'READ', 'USE', 'EDIT')
  const covers = (each: Grant, { type, key: id, name }: ResourceRef) =>
    each.resourceType === type &&
    (each.expiresAt === undefined || each.expiresAt > NOW) &&
    (each.match === 'any' ||
      (each.match === 'exact' && each.pattern === id) ||
      (each.match === 'name' &&
        name !== undefined &&
        new RegExp(`^${each.pattern.replaceAll('*', '.*')}$`).test(name)))
  const rank = (level: Level) => LEVELS.indexOf(level)

  it('the level is the best that covers the resource, and DENY if one of them is', () => {
    fc.assert(
      fc.property(grants, resource, floor, (given, what, least) => {
        const covering = given.filter((each) => covers(each, what)).map(({ level }) => level)
        const expected =
          what.type === 'server' ? 'NO_PERMISSIONS' : LEVELS[Math.max(rank(least), ...covering.map(rank))]
        expect(access(given, least).levelOf(what)).toBe(expected)
      }),
      { numRuns: 1000 },
    )
  })

  it('one more grant takes nothing away, unless it is DENY', () => {
    fc.assert(
      fc.property(grants, grant, resource, floor, (given, more, what, least) => {
        const [before, after] = [
          access(given, least).levelOf(what),
          access([...given, more], least).levelOf(what),
        ]
        if (more.level === 'DENY' && covers(more, what)) expect(after).toBe('DENY')
        else expect(rank(after)).toBeGreaterThanOrEqual(rank(before))
        for (const wanted of LEVELS) {
          if (more.level !== 'DENY' && satisfies(before, wanted)) expect(satisfies(after, wanted)).toBe(true)
          if (more.level === 'DENY' && satisfies(after, wanted)) expect(satisfies(before, wanted)).toBe(true)
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('neither their order nor the role they are in matters', () => {
    const shuffled = grants.chain((given) =>
      fc.tuple(fc.constant(given), fc.shuffledSubarray(given, { minLength: given.length })),
    )
    fc.assert(
      fc.property(shuffled, fc.nat({ max: 8 }), resource, ([given, again], cut, what) => {
        const roles = [again.slice(0, cut), again.slice(cut)].map((part, index) => ({
          id: `${index}`,
          name: '',
          grants: part,
        }))
        const split = compileAccess(roles, { defaultLevel: 'NO_PERMISSIONS', now: NOW })
        expect(split.levelOf(what)).toBe(access(given).levelOf(what))
        expect(split.validUntil).toBe(access(given).validUntil)
      }),
    )
  })

  it('what holds for everything of a type holds for each', () => {
    fc.assert(
      fc.property(grants, resource, floor, (given, what, least) => {
        if (what.type === 'server') return
        const uniform = access(given, least).uniform(what.type)
        if (uniform !== undefined) expect(access(given, least).levelOf(what)).toBe(uniform)
      }),
      { numRuns: 1000 },
    )
  })

  it('a name changes nothing where none is needed', () => {
    fc.assert(
      fc.property(grants, resource, (given, what) => {
        if (what.type === 'server' || access(given).needsName(what.type)) return
        expect(access(given).levelOf(what)).toBe(access(given).levelOf({ type: what.type, key: what.key }))
      }),
    )
  })
})

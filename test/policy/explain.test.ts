import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { enter } from '../../src/identity/caller.ts'
import { compileAccess, type ResourceRef } from '../../src/policy/access.ts'
import { type Demand, decide } from '../../src/policy/decide.ts'
import { explain } from '../../src/policy/explain.ts'
import type { Action, Grant, GrantType, Level, Match } from '../../src/policy/grants.ts'
import { createMemberCompiler } from '../../src/policy/member.ts'
import type { Membership, RoleWithGrants } from '../../src/store/membership.ts'

const NOW = 1000

function roleOf(name: string, grants: readonly Grant[]): RoleWithGrants {
  const stored = grants.map((grant, index) => ({
    ...grant,
    id: `${name}-${index}`,
    source: 'manual' as const,
    createdAt: 0,
  }))
  return {
    id: name,
    name,
    personal: false,
    via: [{ kind: 'group', provider: 'oidc', name: 'ml' }],
    grants: stored,
  }
}

const on = (resourceType: GrantType, match: Match, pattern: string, level: Level): Grant => ({
  resourceType,
  match,
  pattern,
  level,
})

function explained(demand: Demand, grants: readonly Grant[], defaultPermission: Level = 'NO_PERMISSIONS') {
  const [explanation] = explain(
    [demand],
    { roles: [roleOf('team', grants)] },
    { defaultPermission, now: NOW },
  )
  if (explanation === undefined) throw new Error('nothing was explained')
  return explanation
}

const ONE: ResourceRef = { type: 'experiment', key: '1', name: 'alpha/one' }
const RUN_IN_ONE: ResourceRef = { ...ONE, tier: 'run' }

describe('an explanation', () => {
  it('names every grant that speaks of the thing, and which of them decide', () => {
    const { effect, needed, held, grants } = explained({ action: 'update', resource: ONE }, [
      on('experiment', 'exact', '1', 'READ'),
      on('experiment', 'name', 'alpha/*', 'EDIT'),
      on('experiment', 'name', 'beta/*', 'MANAGE'),
      on('registered_model', 'any', '*', 'MANAGE'),
    ])
    expect({ effect, needed, held }).toEqual({ effect: 'allow', needed: 'EDIT', held: 'EDIT' })
    expect(
      grants.map(({ role, via, grant, decides }) => [role, via[0]?.kind, grant.pattern, decides]),
    ).toEqual([
      ['team', 'group', 'alpha/*', true],
      ['team', 'group', '1', false],
    ])
  })

  it.each<[string, Demand, Grant[], object]>([
    [
      'the smallest grant where there is none',
      { action: 'read', resource: ONE },
      [],
      { kind: 'grant', grant: on('experiment', 'exact', '1', 'READ') },
    ],
    [
      'the smallest grant where the level is too low',
      { action: 'delete', resource: RUN_IN_ONE },
      [on('experiment', 'exact', '1', 'EDIT')],
      { kind: 'grant', grant: on('experiment', 'exact', '1', 'MANAGE') },
    ],
    [
      'one on all runs where such a grant is what says too little',
      { action: 'update', resource: RUN_IN_ONE },
      [on('experiment', 'exact', '1', 'MANAGE'), on('run', 'any', '*', 'READ')],
      { kind: 'grant', grant: on('run', 'any', '*', 'EDIT') },
    ],
    [
      'one on the name for what is to be made',
      { action: 'create', resource: { type: 'experiment', key: undefined, name: 'alpha/new' } },
      [],
      { kind: 'grant', grant: on('experiment', 'name', 'alpha/new', 'EDIT') },
    ],
    [
      'the grants that deny',
      { action: 'read', resource: ONE },
      [on('experiment', 'any', '*', 'MANAGE'), on('experiment', 'name', '*one', 'DENY')],
      { kind: 'revoke', grants: [expect.objectContaining(on('experiment', 'name', '*one', 'DENY'))] },
    ],
    [
      'an administrator',
      { action: 'read', resource: { type: 'server', key: undefined } },
      [],
      { kind: 'admin' },
    ],
  ])('says what would help: %s', (_, demand, grants, remedy) => {
    expect(explained(demand, grants).remedy).toEqual(remedy)
  })

  it('says when only the default speaks', () => {
    expect(explained({ action: 'read', resource: ONE }, [], 'READ')).toMatchObject({
      effect: 'allow',
      held: 'READ',
      byDefault: true,
      grants: [],
    })
  })
})

const LEVELS: readonly Level[] = ['READ', 'USE', 'EDIT', 'MANAGE', 'DENY']
const ACTIONS: readonly Action[] = ['read', 'use', 'update', 'create', 'delete', 'manage', 'not_denied']

const anyGrant = fc.oneof(
  fc.record({
    resourceType: fc.constantFrom<GrantType>('experiment', 'registered_model'),
    match: fc.constantFrom<Match>('exact', 'name', 'any'),
    pattern: fc.constantFrom('1', '2', 'a', 'a*', '*b', '*'),
    level: fc.constantFrom(...LEVELS),
  }),
  fc.record({
    resourceType: fc.constantFrom<GrantType>('run', 'trace'),
    match: fc.constant<Match>('any'),
    pattern: fc.constant('*'),
    level: fc.constantFrom(...LEVELS),
  }),
  fc.record({
    resourceType: fc.constant<GrantType>('workspace'),
    match: fc.constant<Match>('any'),
    pattern: fc.constant('*'),
    level: fc.constantFrom<Level>('USE', 'MANAGE'),
  }),
)
const anyDemand: fc.Arbitrary<Demand> = fc.record({
  action: fc.constantFrom(...ACTIONS),
  resource: fc.record({
    type: fc.constant<'experiment'>('experiment'),
    key: fc.constantFrom('1', '2', undefined),
    name: fc.constantFrom('a', 'ab', 'b', undefined),
    tier: fc.constantFrom<'run' | 'trace' | undefined>('run', 'trace', undefined),
  }),
})
const grantsGiven = fc.array(anyGrant, { maxLength: 8 })
const floors = fc.constantFrom<Level>('NO_PERMISSIONS', 'READ', 'EDIT')

describe('for any grants', () => {
  it('an explanation says what was decided', () => {
    fc.assert(
      fc.property(anyDemand, grantsGiven, floors, (demand, grants, defaultLevel) => {
        const access = compileAccess([{ id: 'r', name: 'r', grants }], { defaultLevel, now: NOW })
        const decision = decide([demand], access)
        const { effect, reason } = explained(demand, grants, defaultLevel)
        expect({ effect, reason }).toEqual({
          effect: decision.effect,
          reason: decision.effect === 'deny' ? decision.reason : undefined,
        })
      }),
      { numRuns: 2000 },
    )
  })

  it('and in any workspace what is decided on a request that has entered it', () => {
    const places = ['default', 'team', 'other'] as const
    const placed = fc.tuple(anyGrant, fc.constantFrom(...places)).map(([held, workspace]) => ({
      ...held,
      workspace: workspace === 'default' ? undefined : workspace,
    }))
    const compile = (defaultPermission: Level) =>
      createMemberCompiler(
        {
          ...{ adminUsers: [], adminGroups: [], defaultPermission, upstreams: [] },
          providers: [{ id: 'oidc', issuer: 'https://issuer.invalid' }],
        },
        () => NOW,
      )
    fc.assert(
      fc.property(
        ...[anyDemand, fc.array(placed, { maxLength: 8 }), floors, floors, fc.constantFrom(...places)],
        (demand, grants, floor, there, workspace) => {
          const membership = {
            person: { id: 'u', username: 'ada', disabled: false, provider: 'oidc', createdAt: 0 },
            ...{ names: [], groups: [], roles: [roleOf('r', grants)] },
            defaultPermissions: new Map([['team', there]]),
          } satisfies Membership
          const member = compile(floor)(membership)?.member
          const entered = member && enter(workspace, member)
          // Who holds nothing in a workspace is refused before anything is asked of their rights.
          if (entered === undefined) return grants.every((grant) => grant.workspace !== workspace)
          const decision = decide([demand], entered.access)
          const [explanation] = explain([demand], membership, {
            ...{ defaultPermission: floor, now: NOW, workspace },
          })
          const { effect, reason } =
            decision.effect === 'deny' ? decision : { ...decision, reason: undefined }
          expect([explanation?.effect, explanation?.reason]).toEqual([effect, reason])
          expect(explanation?.grants.every(({ grant }) => (grant.workspace ?? 'default') === workspace)).toBe(
            true,
          )
          return true
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('what it says would help does, in a few steps', () => {
    fc.assert(
      fc.property(anyDemand, grantsGiven, floors, (demand, given, floor) => {
        let grants: readonly Grant[] = given
        for (let step = 0; step < 5; step++) {
          const { effect, remedy } = explained(demand, grants, floor)
          if (effect === 'allow') return
          if (remedy?.kind === 'grant') grants = [...grants, remedy.grant]
          else if (remedy?.kind === 'revoke') {
            const denied = remedy.grants.map((grant) =>
              JSON.stringify([grant.resourceType, grant.match, grant.pattern]),
            )
            grants = grants.filter(
              (grant) =>
                grant.level !== 'DENY' ||
                !denied.includes(JSON.stringify([grant.resourceType, grant.match, grant.pattern])),
            )
          } else throw new Error('no help')
        }
        throw new Error('it never helped')
      }),
      { numRuns: 2000 },
    )
  })
})

import { describe, expect, it } from 'vitest'
import { compileAccess } from '../../src/policy/access.ts'
import { type Demand, decide } from '../../src/policy/decide.ts'
import type { Grant } from '../../src/policy/grants.ts'
import { createMemberCompiler } from '../../src/policy/member.ts'
import type { Membership } from '../../src/store/membership.ts'
import { accessWith, grant } from '../mlflow/examples.ts'

const MEMBER = grant('workspace', 'any', '*', 'USE')
const made: Demand = { action: 'create', resource: { type: 'experiment', key: undefined, name: 'beta/new' } }

describe('a member of the workspace', () => {
  it.each<[string, readonly Grant[], string]>([
    ['may create', [MEMBER], 'allow'],
    [
      'may create where grants are on other names',
      [MEMBER, grant('experiment', 'name', 'alpha/*', 'EDIT')],
      'allow',
    ],
    [
      'may create under names that are read-only',
      [MEMBER, grant('experiment', 'name', 'beta/*', 'READ')],
      'allow',
    ],
    [
      'may not create what is denied',
      [MEMBER, grant('experiment', 'name', 'beta/*', 'DENY')],
      'explicit_deny',
    ],
    [
      'may not create what is denied as a whole',
      [MEMBER, grant('experiment', 'any', '*', 'DENY')],
      'explicit_deny',
    ],
    ['is nobody without the grant', [], 'no_grant'],
  ])('%s', (_, grants, outcome) => {
    const decision = decide([made], accessWith(grants))
    expect(decision.effect === 'allow' ? 'allow' : decision.reason).toBe(outcome)
  })

  it.each(['read', 'use', 'update', 'delete', 'manage'] as const)('may not %s by that', (action) => {
    const access = accessWith([MEMBER])
    const resource = { type: 'experiment', key: '1', name: 'beta/old' } as const
    expect(decide([{ action, resource }], access)).toMatchObject({ effect: 'deny', reason: 'no_grant' })
  })
})

describe('what everybody in a workspace has', () => {
  const compile = createMemberCompiler(
    {
      ...{ adminUsers: [], adminGroups: [], defaultPermission: 'EDIT', upstreams: [] },
      providers: [{ id: 'oidc', issuer: 'https://issuer.invalid' }],
    },
    () => 0,
  )
  const held: Grant = { ...grant('workspace', 'any', '*', 'USE'), workspace: 'team' }
  const membership = (grants: readonly Grant[]) =>
    ({
      person: { id: 'u', username: 'ada', disabled: false, provider: 'oidc' },
      ...{ names: [], groups: [] },
      roles: [{ id: 'r', name: 'r', personal: false, via: [], grants }],
      defaultPermissions: new Map([['team', 'READ']]),
    }) as unknown as Membership
  const experiment = { type: 'experiment', key: '1' } as const

  it('its members have, whatever is had elsewhere', () => {
    const member = compile(membership([held]))?.member
    expect(member?.workspaces.get('team')?.levelOf(experiment)).toBe('READ')
    expect(member?.access.levelOf(experiment)).toBe('EDIT')
  })

  it('nobody else has', () => {
    expect(compile(membership([]))?.member.workspaces).toEqual(new Map())
  })
})

describe('a grant', () => {
  const there: Grant = { ...grant('experiment', 'any', '*', 'MANAGE'), workspace: 'team' }
  const levelIn = (workspace: string | undefined, grants: readonly Grant[]) =>
    compileAccess([{ id: 'r', name: 'r', grants }], {
      ...{ defaultLevel: 'NO_PERMISSIONS', now: 0 },
      ...(workspace === undefined ? {} : { workspace }),
    }).levelOf({ type: 'experiment', key: '1' })

  it.each<[string | undefined, Grant, string]>([
    ['team', there, 'MANAGE'],
    ['other', there, 'NO_PERMISSIONS'],
    ['default', there, 'NO_PERMISSIONS'],
    [undefined, there, 'NO_PERMISSIONS'],
    [undefined, grant('experiment', 'any', '*', 'READ'), 'READ'],
    ['default', grant('experiment', 'any', '*', 'READ'), 'READ'],
    ['team', grant('experiment', 'any', '*', 'READ'), 'NO_PERMISSIONS'],
    ['team', { ...grant('workspace', 'any', '*', 'MANAGE'), workspace: 'team' }, 'MANAGE'],
    ['team', grant('workspace', 'any', '*', 'MANAGE'), 'NO_PERMISSIONS'],
  ])('in %s: %j', (workspace, held, level) => {
    expect(levelIn(workspace, [held])).toBe(level)
  })
})

import type { PolicyContent, PolicyMapping } from '../store/policy.ts'
import type { RoleDetails } from '../store/role-reads.ts'
import type { Store } from '../store/store.ts'
import type { Grant } from './grants.ts'

export type PolicyDiff = {
  /** What applying would add and remove (handwork on a removed role goes with it), a line each. Both empty: nothing would change. */
  readonly added: readonly string[]
  readonly removed: readonly string[]
  /** What was done by hand to roles of the policy, and would stay. */
  readonly byHand: readonly string[]
}

/** What `applyPolicy` would change, without changing it. */
export async function diffPolicy(store: Pick<Store, 'roles'>, policy: PolicyContent): Promise<PolicyDiff> {
  const current = await store.roles.policy()
  const before = describePolicy(current)
  const after = describePolicy(policy)
  const kept = new Set(policy.roles.map(({ name }) => name))
  const names = new Set([...kept, ...current.roles.map(({ name }) => name)])
  const roles = await Promise.all([...names].map((name) => store.roles.get(name)))
  const byHand = roles.flatMap((role) =>
    role !== undefined && kept.has(role.name) ? describeHandwork(role) : [],
  )
  const lost = roles.flatMap((role) =>
    role !== undefined && !kept.has(role.name) ? describeHandwork(role) : [],
  )
  return {
    added: [...after].filter((line) => !before.has(line)),
    removed: [...[...before].filter((line) => !after.has(line)), ...lost],
    byHand,
  }
}

function describePolicy({
  defaultPermission,
  workspaces = [],
  roles,
  groups,
  users,
}: PolicyContent): Set<string> {
  return new Set([
    ...(defaultPermission === undefined ? [] : [`default_permission: ${defaultPermission}`]),
    ...workspaces.map((each) => `default_permission in workspace ${each.name}: ${each.defaultPermission}`),
    ...roles.flatMap(({ name, description, workspace, grants }) => [
      description === undefined ? `role ${name}` : `role ${name}: ${description}`,
      ...(workspace === undefined ? [] : [`role ${name} in workspace ${workspace}`]),
      ...grants.map((grant) => describeGrant(name, grant)),
    ]),
    ...groups.map((mapping) => `group ${describeMapping(mapping)}`),
    ...users.map((mapping) => `user ${describeMapping(mapping)}`),
  ])
}

function describeHandwork(role: RoleDetails): string[] {
  const byHand = ({ source }: { readonly source: string }) => source !== 'policy'
  return [
    ...(byHand(role) ? [`role ${role.name}`] : []),
    ...role.grants.filter(byHand).map((grant) => describeGrant(role.name, grant)),
    ...role.groups.filter(byHand).map((group) => `group ${describeMapping({ ...group, role: role.name })}`),
    ...role.users.filter(byHand).map(({ username }) => `user ${username}: role ${role.name}`),
  ]
}

function describeGrant(role: string, { resourceType, match, pattern, level, expiresAt }: Grant): string {
  const what =
    match === 'any'
      ? `every ${resourceType}`
      : `${resourceType} ${match === 'exact' ? 'id' : 'name'} ${pattern}`
  const until = expiresAt === undefined ? '' : ` until ${new Date(expiresAt * 1000).toISOString()}`
  return `grant ${role}: ${level} on ${what}${until}`
}

function describeMapping({ provider, name, role }: PolicyMapping): string {
  return `${provider === '' ? '' : `${provider}:`}${name}: role ${role}`
}

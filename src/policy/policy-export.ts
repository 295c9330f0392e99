import { qualifyName } from '../config/qualified-name.ts'
import type { PolicyContent, PolicyMapping, PolicyRole } from '../store/policy.ts'
import type { Holder, RoleRules, Rules } from '../store/rules.ts'
import { DEFAULT_WORKSPACE, describeGrant, type Grant, type Level } from './grants.ts'
import { type PolicyContext, PolicyError, parsePolicy } from './policy-file.ts'
import { policyText } from './policy-text.ts'

export type PolicyExport = {
  /** A policy file, in order. */
  readonly text: string
  readonly content: PolicyContent
  /** What the store has and a policy file cannot say, a sentence each. */
  readonly leftOut: readonly string[]
}

type Options = PolicyContext & {
  /** Only what came from the policy file, instead of everything that people share. */
  readonly onlyPolicy: boolean
}

/**
 * Writes what the store says as a policy file: applied to an empty store, it gives everybody the same shared rights. What
 * is one person's own, and what the format has no words for, is named in `leftOut` and at the top of the file.
 */
export function exportPolicy(rules: Rules, { onlyPolicy, providerIds }: Options): PolicyExport {
  const leftOut: string[] = []
  const chosen = onlyPolicy ? ofPolicy(rules) : rules
  const roles = expressible(chosen.roles, leftOut, providerIds)
  const content: PolicyContent = {
    defaultPermission: chosen.defaultPermissions.get(DEFAULT_WORKSPACE),
    workspaces: [...chosen.defaultPermissions]
      .filter(([name]) => name !== DEFAULT_WORKSPACE)
      .map(([name, defaultPermission]) => ({ name, defaultPermission })),
    roles: roles.map((role) => roleOf(role, leftOut, providerIds)),
    groups: roles.flatMap((role) => groupsOf(role, leftOut, providerIds)),
    users: roles.flatMap((role) => usersOf(role, leftOut, providerIds)),
  }
  for (const { username, grants } of chosen.personal) {
    for (const grant of grants)
      leftOut.push(`${username} holds ${describeGrant(grant)} directly: put it into a role`)
  }
  return { text: policyText(content, { providerIds, leftOut }), content, leftOut }
}

function ofPolicy({ defaultPermissions, roles }: Rules): Rules {
  const own = ({ source }: { readonly source: string }) => source === 'policy'
  return {
    defaultPermissions,
    roles: roles.filter(own).map((role) => ({
      ...role,
      grants: role.grants.filter(own),
      groups: role.groups.filter(own),
      names: role.names.filter(own),
      people: [],
    })),
    personal: [],
  }
}

/** Those that a file can define: what its reader says of each decides. */
function expressible(
  roles: readonly RoleRules[],
  leftOut: string[],
  providerIds: readonly string[],
): readonly RoleRules[] {
  const names = new Set<string>()
  return roles.filter((role) => {
    const twice = names.has(role.name) && 'another workspace has a role of that name: rename one of the two'
    const problem = twice || problemOf({ roles: [{ ...described(role), grants: [] }] }, providerIds)
    names.add(role.name)
    if (!problem) return true
    leftOut.push(`role ${JSON.stringify(role.name)} of the workspace ${role.workspace}: ${problem}`)
    return false
  })
}

function described({ name, description, workspace }: RoleRules): Omit<PolicyRole, 'grants'> {
  return { name, description, workspace: workspace === DEFAULT_WORKSPACE ? undefined : workspace }
}

/** Why a file with just that would not be in order; undefined if it would. */
function problemOf(part: Partial<PolicyContent>, providerIds: readonly string[]): string | undefined {
  try {
    const content = { roles: [], groups: [], users: [], ...part }
    parsePolicy(policyText(content, { providerIds, leftOut: [] }), { providerIds })
    return undefined
  } catch (fault) {
    if (fault instanceof PolicyError)
      return fault.faults.map(({ place, problem }) => `${place} ${problem}`.trim()).join('; ')
    throw fault
  }
}

function roleOf(role: RoleRules, leftOut: string[], providerIds: readonly string[]): PolicyRole {
  const grants = strongest(role.grants).flatMap((grant) => {
    const written = named(grant)
    const alone = { name: 'role', grants: [written] }
    const problem = problemOf({ roles: [alone] }, providerIds)
    if (problem === undefined) return written
    leftOut.push(`role ${role.name}, ${describeGrant(grant)}: ${problem}`)
    return []
  })
  return { ...described(role), grants }
}

/** Types that a file names by their names, which are also what grants know them by. */
const KEYED_BY_NAME = ['registered_model', 'prompt', 'mcp_server']

/** A grant on exactly one name says the same as a pattern without a star. */
function named(grant: Grant): Grant {
  const { resourceType, match, pattern, level, expiresAt } = grant
  const isName = match === 'exact' && KEYED_BY_NAME.includes(resourceType) && !pattern.includes('*')
  return { resourceType, match: isName ? 'name' : match, pattern, level, expiresAt }
}

const WEAKEST_FIRST: readonly Level[] = ['NO_PERMISSIONS', 'READ', 'USE', 'EDIT', 'MANAGE', 'DENY']

/** A file has one level for one thing until one moment: the one that decides. */
function strongest(grants: readonly Grant[]): readonly Grant[] {
  const byTarget = new Map<string, Grant>()
  for (const grant of grants.toSorted(
    (a, b) => WEAKEST_FIRST.indexOf(a.level) - WEAKEST_FIRST.indexOf(b.level),
  )) {
    const { resourceType, match, pattern, expiresAt } = named(grant)
    byTarget.set(JSON.stringify([resourceType, match, pattern, expiresAt]), grant)
  }
  return [...byTarget.values()]
}

function groupsOf(
  { name: role, groups }: RoleRules,
  leftOut: string[],
  providerIds: readonly string[],
): readonly PolicyMapping[] {
  return mappings(groups, { role, providerIds, leftOut, what: 'group' })
}

function usersOf(
  { name: role, names, people }: RoleRules,
  leftOut: string[],
  providerIds: readonly string[],
): readonly PolicyMapping[] {
  const assigned = people.flatMap((holder) => {
    const problem = unnameable(holder)
    if (problem === undefined && holder.known !== undefined) return holder.known
    leftOut.push(`${holder.username} has the role ${role}: ${problem}`)
    return []
  })
  return mappings([...names, ...assigned], { role, providerIds, leftOut, what: 'user' })
}

/** A file gives roles to names; who is disabled would be let in again by a store that does not know it. */
function unnameable({ known, disabled }: Holder): string | undefined {
  if (disabled) return 'is disabled, which a file cannot say'
  return known === undefined ? 'is not the first who was called so at the provider' : undefined
}

type Mapped = {
  readonly role: string
  readonly providerIds: readonly string[]
  readonly leftOut: string[]
  readonly what: 'group' | 'user'
}

/** Each once, with the provider that it counts for now. */
function mappings(
  given: readonly { readonly provider: string; readonly name: string }[],
  { role, providerIds, leftOut, what }: Mapped,
): readonly PolicyMapping[] {
  const found = new Map<string, PolicyMapping>()
  for (const { provider, name } of given) {
    const [only, ...others] = providerIds
    const own = provider === '' && others.length === 0 ? (only ?? '') : provider
    const qualified = qualifyName(`${own}:${name}`, providerIds)
    if ('problem' in qualified || name.trim() === '') {
      const why =
        provider === '' ? 'names no provider, of several' : `${provider} is not a configured provider`
      leftOut.push(`${what} ${JSON.stringify(name)} has the role ${role}: ${why}`)
    } else found.set(qualified.name, { provider: own, name, role })
  }
  return [...found.values()]
}

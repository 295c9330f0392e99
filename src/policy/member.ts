import { qualifyName } from '../config/qualified-name.ts'
import type { Principal } from '../identity/principal.ts'
import type { Membership } from '../store/membership.ts'
import { type Access, compileAccess } from './access.ts'
import { DEFAULT_WORKSPACE, type Level } from './grants.ts'
import { isDefault, placesNamed, type WorkspaceName, workspaceOn } from './workspace-name.ts'

/** The issuer of people an admin added who have not signed in yet; their subject is the user id. */
export const LOCAL_ISSUER = 'urn:mlflow-auth-gateway'

/** Somebody with all they may do, ready for decisions without I/O. */
export type Member = {
  readonly principal: Principal
  readonly access: Access
  /** What they may do in other workspaces: those that they hold a grant in, and the default ones of further tracking servers. */
  readonly workspaces: ReadonlyMap<WorkspaceName, Access>
  /** Seconds since the epoch: when a grant counted in `access` expires; `Infinity` if none does. */
  readonly validUntil: number
}

/** A member with what tells when to forget it and how much memory it takes. */
export type MemberEntry = {
  readonly member: Member
  readonly roleIds: ReadonlySet<string>
  readonly weight: number
}

/** What decides on members beside what the store has. */
export type MemberConfig = {
  /** `provider:name`, as the configuration gives them. */
  readonly adminUsers: readonly string[]
  readonly adminGroups: readonly string[]
  readonly defaultPermission: Level
  readonly providers: readonly { readonly id: string; readonly issuer: string }[]
  /** Tracking servers besides the one at `UPSTREAM_URL`. */
  readonly upstreams: readonly { readonly id: string }[]
}

/** Makes a {@link Member} of what the store has of somebody; undefined for somebody who is to have nothing. */
export function createMemberCompiler(config: MemberConfig, now: () => number) {
  const ids = config.providers.map(({ id }) => id)
  const adminUsers = qualified(config.adminUsers, ids)
  const adminGroups = qualified(config.adminGroups, ids)

  return (membership: Membership): MemberEntry | undefined => {
    const { person, names, groups, roles } = membership
    if (person.disabled || !isVouchedFor(person, config.providers)) return undefined
    const { defaultPermission } = config
    const access = compileAccess(roles, {
      defaultLevel: defaultLevelIn(DEFAULT_WORKSPACE, membership, defaultPermission),
      now: now(),
    })
    const workspaces = accessElsewhere(membership, config, now())
    const ends = [access, ...workspaces.values()].map(({ validUntil }) => validUntil)
    const principal: Principal = {
      userId: person.id,
      issuer: person.issuer ?? LOCAL_ISSUER,
      subject: person.subject ?? person.id,
      username: person.username,
      provider: person.provider ?? '',
      groups: groups.map(({ name }) => name),
      roles: roles.filter((role) => !role.personal).map((role) => role.name),
      isAdmin:
        names.some(({ provider, name }) => adminUsers.has(`${provider}:${name}`)) ||
        groups.some(({ provider, name }) => adminGroups.has(`${provider}:${name}`)),
    }
    const grants = roles.reduce((sum, role) => sum + role.grants.length, 0)
    return {
      member: { principal, access, workspaces, validUntil: Math.min(...ends) },
      roleIds: new Set(roles.map((role) => role.id)),
      weight: 1 + grants + roles.length + groups.length,
    }
  }
}

/** Who holds something in a workspace has there what its members have; what everybody has is in the default ones. */
function accessElsewhere(
  membership: Membership,
  { defaultPermission, upstreams }: MemberConfig,
  now: number,
): ReadonlyMap<WorkspaceName, Access> {
  const { roles } = membership
  const held = new Set(roles.flatMap(({ grants }) => grants.flatMap(({ workspace }) => workspace ?? [])))
  const names = new Set([
    ...upstreams.map(({ id }) => workspaceOn(id, DEFAULT_WORKSPACE)),
    ...[...held].flatMap((name) => placesNamed(name, upstreams)),
  ])
  names.delete(DEFAULT_WORKSPACE)
  return new Map(
    [...names].map((workspace) => [
      workspace,
      compileAccess(roles, {
        ...{ now, workspace },
        defaultLevel: defaultLevelIn(workspace, membership, defaultPermission),
      }),
    ]),
  )
}

/**
 * What is held in a workspace on all that no grant speaks of: by its members, in a default one by everybody.
 *
 * @param defaultPermission `DEFAULT_PERMISSION`: for the default workspaces, where the policy file says nothing else.
 */
export function defaultLevelIn(
  workspace: WorkspaceName,
  policy: Pick<Membership, 'defaultPermission' | 'defaultPermissions'>,
  defaultPermission: Level,
): Level {
  const own = policy.defaultPermissions?.get(workspace)
  if (!isDefault(workspace)) return own ?? 'NO_PERMISSIONS'
  return own ?? policy.defaultPermission ?? defaultPermission
}

/** True if a configured provider vouches, under the issuer it has today: an id that now stands for another issuer does not. */
function isVouchedFor(person: Membership['person'], providers: MemberConfig['providers']): boolean {
  const provider = providers.find(({ id }) => id === person.provider)
  if (provider === undefined) return false
  return person.issuer === undefined || sameIssuer(person.issuer, provider.issuer)
}

/** Whether a configured issuer ends in a slash is left to its provider's announcement when it is discovered. */
function sameIssuer(a: string, b: string): boolean {
  return a === b || (URL.canParse(a) && URL.canParse(b) && new URL(a).href === new URL(b).href)
}

function qualified(entries: readonly string[], providerIds: readonly string[]): ReadonlySet<string> {
  return new Set(
    entries.flatMap((entry) => {
      const result = qualifyName(entry, providerIds)
      return 'name' in result ? [result.name] : []
    }),
  )
}

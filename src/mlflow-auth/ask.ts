import type { AuditEventKind, AuditedResource } from '../audit/event.ts'
import type { Config } from '../config.ts'
import { GatewayError } from '../errors.ts'
import type { Caller } from '../identity/caller.ts'
import type { Lookup } from '../mlflow/lookup.ts'
import type { Directory } from '../policy/directory.ts'
import { type WorkspaceConfig, type WorkspaceName, workspaceOn } from '../policy/workspace-name.ts'
import type { StoredGrant } from '../store/grant-row.ts'
import type { Person } from '../store/people.ts'
import { type PlacedRole, placeIdOf } from '../store/role-holdings.ts'
import type { Store } from '../store/store.ts'
import type { Parameters } from './parameters.ts'
import { workspaceNamed } from './workspace.ts'

/** What the routes work on; made once, at start. */
export type AuthServices = {
  readonly store: Pick<Store, 'people' | 'roles' | 'publicIds'>
  readonly directory: Pick<Directory, 'resolve'>
  readonly lookup: Lookup
  readonly config: Pick<Config, 'providers' | 'adminUsers' | 'adminGroups' | 'defaultPermission'> &
    WorkspaceConfig
  /** The id of the tracking server that it is asked for, if it is a further one. */
  readonly server: string | undefined
}

/** A request to MLflow's auth API: who makes it, and what it says. */
export type Ask = {
  /** With what they may do in the workspace. */
  readonly caller: Caller
  /** The one that the request was sent to; a role is in its own. */
  readonly workspace: WorkspaceName
  readonly parameters: Parameters
  readonly services: AuthServices
}

/** What became of it. */
export type Done = {
  /** The body of the answer. */
  readonly answer: object
  /** Set if anything has changed. */
  readonly changed?: Extract<AuditEventKind, 'role_changed' | 'user_changed'>
  /** Where it has changed, if that is not where it was asked: a role is in its own. */
  readonly workspace?: string
  /** For the record. */
  readonly resources?: readonly AuditedResource[]
}

/**
 * The user a parameter names, by the name shown here, or with the provider's id before it.
 *
 * @throws {GatewayError} `ERR_NOT_FOUND`
 */
export async function askedPerson(ask: Ask, parameter = 'username'): Promise<Person> {
  const username = ask.parameters.text(parameter)
  const person = await personCalled(username, ask.services)
  if (person === undefined) throw new GatewayError('ERR_NOT_FOUND', 'There is no user of that name')
  return person
}

/** As {@link askedPerson}, without anybody asking. */
export async function personCalled(
  username: string,
  { store, config }: Pick<AuthServices, 'store' | 'config'>,
): Promise<Person | undefined> {
  const found = await store.people.find({ username })
  const colon = username.indexOf(':')
  if (found !== undefined || colon === -1) return found
  const provider = config.providers.find(({ id }) => id === username.slice(0, colon))
  const bare = provider && (await store.people.find({ username: username.slice(colon + 1) }))
  return bare?.provider === provider?.id ? bare : undefined
}

/** @throws {GatewayError} `ERR_NOT_FOUND` */
export async function askedRole({ parameters, services }: Ask): Promise<PlacedRole> {
  const id = await services.store.publicIds.idOf(parameters.number('role_id'))
  const role = id === undefined ? undefined : await services.store.roles.find(id)
  if (role === undefined) throw new GatewayError('ERR_NOT_FOUND', 'There is no role with that role_id')
  return role
}

/** The permission a request names by its number, and the role that has it. @throws {GatewayError} `ERR_NOT_FOUND` */
export async function askedGrant({
  parameters,
  services: { store },
}: Ask): Promise<{ readonly role: PlacedRole; readonly grant: StoredGrant }> {
  const id = await store.publicIds.idOf(parameters.number('role_permission_id'))
  const found = id === undefined ? undefined : await store.roles.findGrant(id)
  const role = found && (await roleOf(found, store))
  if (found === undefined || role === undefined)
    throw new GatewayError('ERR_NOT_FOUND', 'There is no permission with that role_permission_id')
  return { role, grant: found.grant }
}

async function roleOf(
  { roleId, grant }: { readonly roleId: string; readonly grant: StoredGrant },
  { roles }: Pick<Store, 'roles'>,
): Promise<PlacedRole | undefined> {
  const placed = await roles.find(placeIdOf(roleId, grant.workspace))
  if (placed !== undefined) return placed
  const role = await roles.find(roleId)
  // A personal role is in each workspace for what it grants there, and for nothing else.
  return role?.ownerUserId === undefined ? role : undefined
}

/**
 * The workspace that a parameter names, by MLflow's name for it.
 *
 * @throws {GatewayError} `ERR_INVALID_PARAMETER` for what is none.
 */
export function askedWorkspace({ parameters, services: { config, server } }: Ask): WorkspaceName {
  return workspaceNamed(workspaceOn(server, parameters.text('workspace')), config)
}

/** Every role a person holds, in whichever way. */
export async function heldRoles(
  userId: string,
  { store, config }: AuthServices,
): Promise<readonly PlacedRole[]> {
  const holdings = await store.roles.holdings(config.providers, { userId })
  return store.roles.findAll(holdings.map(({ roleId }) => roleId))
}

/** @throws {GatewayError} `ERR_PERMISSION_DENIED` for what the next start of the gateway would undo. */
export function assertByHand({ source }: { readonly source: string }, what: string): void {
  if (source !== 'policy') return
  throw new GatewayError(
    'ERR_PERMISSION_DENIED',
    `${what} comes from the policy file; change it there and apply the file`,
    { reason: 'policy_file' },
  )
}

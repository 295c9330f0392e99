import { qualifyName } from '../config/qualified-name.ts'
import { GatewayError } from '../errors.ts'
import type { ProviderName } from '../store/membership.ts'
import type { Person } from '../store/people.ts'
import type { PlacedRole } from '../store/role-holdings.ts'
import { type Ask, type AuthServices, askedPerson, type Done, heldRoles } from './ask.ts'
import { administeredWorkspaces } from './standing.ts'
import { audited, heldPermissions, numbersFor, roleJson, userJson } from './wire.ts'

/** The caller. `is_basic_auth: false` has MLflow's pages offer no change of a password and no sign-out of their own. */
export async function currentUser({ caller: { principal }, services }: Ask): Promise<Done> {
  const user = { id: principal.userId, username: principal.username }
  const numbers = await numbersFor(services, [], [user.id])
  return { answer: { user: userJson(user, principal.isAdmin, numbers), is_basic_auth: false } }
}

export async function currentPermissions(ask: Ask): Promise<Done> {
  const { userId, isAdmin } = ask.caller.principal
  return permissionsOf(ask, { userId, isAdmin })
}

export async function getUser(ask: Ask): Promise<Done> {
  return answerUser(ask, await askedPerson(ask))
}

/** Everybody, with the roles they hold as far as the caller may see them. */
export async function listUsers(ask: Ask): Promise<Done> {
  const { caller, services } = ask
  const { store, config } = services
  const [people, admins, holdings, isVisible] = await Promise.all([
    store.people.list(),
    administrators(services),
    store.roles.holdings(config.providers),
    visibility(ask),
  ])
  const byId = Map.groupBy(await store.roles.listAll(), ({ id }) => id)
  const held = Map.groupBy(holdings, ({ userId }) => userId)
  const rolesOf = ({ id }: Person) => {
    const ids = new Set(held.get(id)?.map(({ roleId }) => roleId))
    const roles = [...ids].flatMap((roleId) => byId.get(roleId) ?? [])
    return id === caller.principal.userId ? roles : roles.filter(isVisible)
  }
  const rows = people.map((person) => ({ person, roles: rolesOf(person) }))
  const shown = rows.flatMap(({ roles }) => roles)
  const numbers = await numbersFor(
    services,
    [...new Set(shown)],
    people.map(({ id }) => id),
  )
  const users = rows.map(({ person, roles }) => ({
    ...userJson(person, isAdmin(person, admins), numbers),
    roles: roles.map((role) => roleJson(role, numbers)),
  }))
  return { answer: { users } }
}

/**
 * Adds somebody before they first sign in. A password has no meaning here: it is neither needed nor kept, and the
 * answer says so to whoever sent one.
 */
export async function createUser(ask: Ask): Promise<Done> {
  const { parameters, services } = ask
  const wanted = parameters.text('username')
  const password = parameters.optionalText('password')
  const { providers } = services.config
  const qualified = qualifyName(
    wanted,
    providers.map(({ id }) => id),
  )
  if ('problem' in qualified || /^\s*$|\p{Cc}/u.test(wanted) || wanted.length > 255) {
    const example = providers.map(({ id }) => `${id}:name`).join(' or ')
    throw new GatewayError(
      'ERR_INVALID_PARAMETER',
      `Say who it is at which provider, as ${providers.length === 1 ? 'name' : example}, in 1 to 255 characters`,
    )
  }
  const { provider, name: username } = asProviderName(qualified.name)
  const person = await services.store.people.add({ provider, username })
  const { answer } = await answerUser(ask, person)
  const note = `${person.username} signs in at ${provider}. The password was not kept: scripts use a token`
  return {
    answer: password === undefined ? answer : { ...answer, note },
    changed: 'user_changed',
    resources: [audited.user(person)],
  }
}

export async function updatePassword(): Promise<Done> {
  throw new GatewayError(
    'ERR_INVALID_PARAMETER',
    'There are no passwords here: people sign in at their provider, and scripts use a token from the page /auth/tokens',
  )
}

/** Whoever is what the request wants is left as they are; the gateway's configuration says who an administrator is. */
export async function updateAdmin(ask: Ask): Promise<Done> {
  const person = await askedPerson(ask)
  const wanted = ask.parameters.flag('is_admin')
  if (isAdmin(person, await administrators(ask.services, person.id)) === wanted) {
    return { answer: {}, resources: [audited.user(person)] }
  }
  throw new GatewayError(
    'ERR_INVALID_PARAMETER',
    `Who is an administrator is set by ADMIN_USERS and ADMIN_GROUPS in the gateway's configuration; who only administers what is in the workspace gets MANAGE on workspace by a role`,
  )
}

/** Forgets somebody with all they hold. Who still can sign in at the provider may come back, with nothing. */
export async function deleteUser(ask: Ask): Promise<Done> {
  const person = await askedPerson(ask)
  if (person.id === ask.caller.principal.userId)
    throw new GatewayError('ERR_BAD_REQUEST', 'You cannot delete yourself; ask another administrator')
  await ask.services.store.people.remove(person.id)
  return { answer: {}, changed: 'user_changed', resources: [audited.user(person)] }
}

export async function listUserPermissions(ask: Ask): Promise<Done> {
  const person = await askedPerson(ask)
  const admins = await administrators(ask.services, person.id)
  return permissionsOf(ask, { userId: person.id, isAdmin: isAdmin(person, admins) })
}

export async function listUserRoles(ask: Ask): Promise<Done> {
  const { id } = await askedPerson(ask)
  const roles = await visibleRoles(ask, id)
  const numbers = await numbersFor(ask.services, roles)
  return { answer: { roles: roles.map((role) => roleJson(role, numbers)) } }
}

async function permissionsOf(
  ask: Ask,
  of: { readonly userId: string; readonly isAdmin: boolean },
): Promise<Done> {
  const roles = await visibleRoles(ask, of.userId)
  const numbers = await numbersFor(ask.services, roles)
  return { answer: { is_admin: of.isAdmin, permissions: heldPermissions(roles, numbers) } }
}

async function visibleRoles(ask: Ask, userId: string): Promise<readonly PlacedRole[]> {
  const roles = await heldRoles(userId, ask.services)
  return userId === ask.caller.principal.userId ? roles : roles.filter(await visibility(ask))
}

/** Which roles of other people the caller may see. */
async function visibility(ask: Ask): Promise<(role: PlacedRole) => boolean> {
  if (ask.caller.principal.isAdmin) return () => true
  const workspaces = await administeredWorkspaces(ask)
  return ({ workspace }) => workspaces.has(workspace)
}

async function answerUser({ services }: Ask, person: Person) {
  const admins = await administrators(services, person.id)
  const numbers = await numbersFor(services, [], [person.id])
  return { answer: { user: userJson(person, isAdmin(person, admins), numbers) } }
}

function isAdmin({ id, disabled }: Person, admins: ReadonlySet<string>): boolean {
  return !disabled && admins.has(id)
}

/** Ids of those whom the configuration makes administrators, as `createMemberCompiler` finds for each. */
function administrators(
  { store, config }: Pick<AuthServices, 'store' | 'config'>,
  userId?: string,
): Promise<ReadonlySet<string>> {
  const users = config.adminUsers.map(asProviderName)
  const groups = config.adminGroups.map(asProviderName)
  return store.roles.namedSo({ users, groups }, userId)
}

function asProviderName(qualified: string): ProviderName {
  const colon = qualified.indexOf(':')
  return { provider: qualified.slice(0, colon), name: qualified.slice(colon + 1) }
}

import { GatewayError } from '../errors.ts'
import type { Person } from '../store/person.ts'
import type { RoleDetails } from '../store/roles.ts'
import type { Store } from '../store/store.ts'

/**
 * @param provider Narrows the name to one provider, where two people have it at two.
 * @throws {GatewayError} `ERR_NOT_FOUND`, saying how people become known.
 */
export async function findPerson(
  store: Pick<Store, 'people'>,
  name: string,
  provider?: string,
): Promise<Person> {
  const found = await store.people.find({ username: name })
  if (found !== undefined && (provider === undefined || found.provider === provider)) return found
  const qualified =
    provider === undefined ? undefined : await store.people.find({ username: `${provider}:${name}` })
  if (qualified?.provider === provider && qualified !== undefined) return qualified
  const where = provider === undefined ? '' : ` at ${provider}`
  throw new GatewayError(
    'ERR_NOT_FOUND',
    `Nobody is known as ${name}${where}. People become known when they sign in, or by: user add ${name} --provider ${provider ?? 'PROVIDER'}`,
  )
}

/** @throws {GatewayError} `ERR_NOT_FOUND` */
export async function findRole(store: Pick<Store, 'roles'>, name: string): Promise<RoleDetails> {
  const role = await store.roles.get(name)
  if (role === undefined)
    throw new GatewayError('ERR_NOT_FOUND', `There is no role ${name}. See them with: role list`)
  return role
}

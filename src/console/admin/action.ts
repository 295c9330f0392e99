import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import type { AdminParts, Endpoint } from '../../admin/endpoint.ts'
import { GatewayError } from '../../errors.ts'
import { ownPath } from '../assets.ts'

/** What a form asks an endpoint for, and where the browser goes afterwards. */
export type Action = {
  readonly request: {
    readonly params: unknown
    readonly query: unknown
    readonly body: unknown
    readonly ifMatch: string | undefined
  }
  readonly next: string
}

type Parts = Pick<AdminParts, 'store' | 'now'> & { readonly publicUrl: URL }

/**
 * Reads a form of the console: `p.` fields are the endpoint's parameters, `b.` fields its body, `match` what the page had
 * seen. People give a username where the endpoint takes an id, and a length of time where it takes a moment.
 *
 * @throws {GatewayError} `ERR_INVALID_PARAMETER` for what the endpoint does not take; `ERR_NOT_FOUND` for an unknown name.
 */
export async function readAction(
  endpoint: Endpoint,
  fields: ReadonlyMap<string, string>,
  parts: Parts,
): Promise<Action> {
  const params = { ...prefixed(fields, 'p.'), ...(await named(fields, parts)) }
  const body = endpoint.body && { ...prefixed(fields, 'b.'), ...lifetime(fields, parts.now()) }
  return {
    request: {
      params: checked(endpoint.params, params),
      query: {},
      body: endpoint.body && checked(endpoint.body, body),
      ifMatch: fields.get('match'),
    },
    next: afterwards(fields.get('next'), parts.publicUrl),
  }
}

/** Empty fields were not filled in. */
function prefixed(fields: ReadonlyMap<string, string>, prefix: string): Record<string, string> {
  const own = [...fields].filter(([name, value]) => name.startsWith(prefix) && value !== '')
  return Object.fromEntries(own.map(([name, value]) => [name.slice(prefix.length), value]))
}

function checked(schema: TSchema, value: unknown): unknown {
  const read = Value.Convert(schema, value)
  if (Value.Check(schema, read)) return read
  const [first] = Value.Errors(schema, read)
  throw new GatewayError(
    'ERR_INVALID_PARAMETER',
    `The form is not in order: ${first?.instancePath ?? ''} ${first?.message ?? ''}`,
  )
}

async function named(fields: ReadonlyMap<string, string>, { store }: Parts): Promise<Record<string, string>> {
  const username = fields.get('person')
  const group = fields.get('group')
  if (group !== undefined) {
    const colon = group.indexOf(':')
    if (colon < 1 || colon === group.length - 1)
      throw new GatewayError('ERR_INVALID_PARAMETER', 'Write a group as provider:group')
    return { provider: group.slice(0, colon), group: group.slice(colon + 1) }
  }
  const role = fields.get('role')
  if (role !== undefined) return { role: await roleNamed(role, store) }
  if (username === undefined) return {}
  const person = await store.people.find({ username })
  if (person === undefined) throw new GatewayError('ERR_NOT_FOUND', `Nobody is known as ${username}`)
  return { person: person.id }
}

/** @throws {GatewayError} `ERR_NOT_FOUND`; `ERR_INVALID_PARAMETER` where several workspaces have a role of that name. */
async function roleNamed(name: string, { roles }: Parts['store']): Promise<string> {
  const [id, ...others] = await roles.idsOf(name)
  if (id === undefined) throw new GatewayError('ERR_NOT_FOUND', `There is no role named ${name}`)
  if (others.length === 0) return id
  const message = `Several workspaces have a role named ${name}: give it on the page of the one you mean`
  throw new GatewayError('ERR_INVALID_PARAMETER', message)
}

function lifetime(fields: ReadonlyMap<string, string>, now: number): { expires_at?: number } {
  const seconds = Number(fields.get('expires_in') ?? '')
  return Number.isSafeInteger(seconds) && seconds > 0 ? { expires_at: now + seconds } : {}
}

/** Only to a path of ours. */
function afterwards(next: string | undefined, publicUrl: URL): string {
  const root = ownPath(publicUrl, '/auth')
  const start = ownPath(publicUrl, '/auth/admin')
  if (next === undefined || /[\p{Cc}\\]/u.test(next)) return start
  const target = URL.canParse(next, publicUrl.href) ? new URL(next, publicUrl) : undefined
  const isOurs =
    target?.origin === publicUrl.origin &&
    (target.pathname === root || target.pathname.startsWith(`${root}/`))
  return isOurs ? target.pathname + target.search : start
}

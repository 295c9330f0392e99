import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { GatewayError } from '../errors.ts'
import type { Scope } from '../identity/principal.ts'

/** The shortest life worth a token. Seconds. */
const MIN_TTL = 60

/** What `POST /auth/api/v1/tokens` takes. */
export const TokenRequestSchema = Type.Object(
  {
    name: Type.String({
      minLength: 1,
      maxLength: 100,
      pattern: '^[^\\p{Cc}]*$',
      description: 'What you call it',
    }),
    expires_in: Type.Integer({ minimum: MIN_TTL, description: 'How long it lives, seconds' }),
    scope: Type.Optional(Type.Literal('read', { description: 'Narrows the token to reading' })),
  },
  { additionalProperties: false },
)

export type TokenRequest = { readonly name: string; readonly ttl: number; readonly scope: readonly Scope[] }

/** @throws {GatewayError} `ERR_INVALID_PARAMETER` naming the field and what it should be. */
export function readTokenRequest(value: unknown, maxTtl: number): TokenRequest {
  if (!Value.Check(TokenRequestSchema, value)) throw invalid(faultOf(value))
  const { name, expires_in: ttl, scope }: Static<typeof TokenRequestSchema> = value
  if (name.trim() === '') throw invalid(FAULTS.name)
  if (ttl > maxTtl) throw invalid(`expires_in is more than the ${maxTtl} seconds a token may live here`)
  return { name: name.trim(), ttl, scope: scope === undefined ? [] : [scope] }
}

/** The same from the form: `read_only` is a checkbox, sent only when ticked. */
export function readTokenForm(fields: ReadonlyMap<string, string>, maxTtl: number): TokenRequest {
  const expiresIn = fields.get('expires_in') ?? ''
  return readTokenRequest(
    {
      name: fields.get('name') ?? '',
      expires_in: /^[0-9]{1,10}$/.test(expiresIn) ? Number(expiresIn) : expiresIn,
      ...(fields.get('read_only') === undefined ? {} : { scope: 'read' }),
    },
    maxTtl,
  )
}

const FAULTS = {
  name: 'name must be a text of 1 to 100 characters',
  expires_in: `expires_in must be a whole number of seconds, at least ${MIN_TTL}`,
  scope: 'scope must be read, or be left out',
} as const

function faultOf(value: unknown): string {
  const fields = typeof value === 'object' && value !== null ? value : {}
  for (const [name, fault] of Object.entries(FAULTS)) {
    const schema = TokenRequestSchema.properties[name as keyof typeof FAULTS]
    const given = (fields as Record<string, unknown>)[name]
    if (given === undefined ? name !== 'scope' : !Value.Check(schema, given)) return fault
  }
  return `only ${Object.keys(FAULTS).join(', ')} can be set`
}

function invalid(message: string): GatewayError {
  return new GatewayError('ERR_INVALID_PARAMETER', message)
}

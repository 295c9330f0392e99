import { invalidToken } from './gateway-token.ts'
import type { Credential } from './principal.ts'

/** The token of an `Authorization` header, and how it was wrapped. */
export type Presented = { readonly form: Exclude<Credential['form'], 'cookie'>; readonly token: string }

/** RFC 6750 §2.1: `b64token`. */
const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i

/** RFC 7617 §2: base64 of `user-id:password`. */
const BASIC = /^Basic +([A-Za-z0-9+/]+={0,2})$/i

const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/

/**
 * Reads a bearer token, or Basic credentials whose password is one: MLflow's `MLFLOW_TRACKING_USERNAME` and
 * `_PASSWORD`, for clients that can do nothing else. The user name says nothing and is not read.
 *
 * @throws {GatewayError} `ERR_INVALID_TOKEN`
 */
export function readAuthorization(header: string): Presented {
  const bearer = BEARER.exec(header)?.[1]
  if (bearer !== undefined) return { form: 'bearer', token: bearer }
  const basic = BASIC.exec(header)?.[1]
  if (basic === undefined) throw invalidToken('neither Bearer nor Basic', 'unreadable')
  const pair = Buffer.from(basic, 'base64').toString('utf8')
  const token = pair.slice(pair.indexOf(':') + 1)
  if (!pair.includes(':') || !TOKEN.test(token)) throw invalidToken('the password is no token', 'unreadable')
  return { form: 'basic', token }
}

import type { Access } from '../policy/access.ts'
import type { Credential, Principal } from './principal.ts'

/** A principal, what they may do, and what proved it: all a request needs to know of who is calling. */
export type Caller = {
  readonly principal: Principal
  readonly access: Access
  readonly credential: Credential
}

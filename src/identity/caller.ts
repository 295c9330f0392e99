import type { Access } from '../policy/access.ts'
import type { Credential, Principal } from './principal.ts'

/** Who makes a request, what they may do, and what proved it. */
export type Caller = {
  readonly principal: Principal
  readonly access: Access
  readonly credential: Credential
}

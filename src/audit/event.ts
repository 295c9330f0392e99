import type { CredentialKind } from '../identity/principal.ts'

/** What an event is about: a decision on a request, or something a person did to a credential, a role or a policy. */
export type AuditEventKind =
  | 'decision'
  | 'sign_in'
  | 'sign_out'
  | 'session_ended'
  | 'token_created'
  | 'token_revoked'
  | 'user_changed'
  | 'role_changed'
  | 'policy_applied'
  | 'keys_rotated'
  | 'lockdown_changed'
  | 'access_requested'
  | 'access_answered'

/** A resource an event names, as far as it was found out. */
export type AuditedResource = {
  readonly type: string
  readonly id: string
  readonly name?: string | undefined
}

/**
 * One line of the record. Nothing in it is secret: credentials by their id, paths as the template of the route (what a
 * caller put into a path or query may be anything), no headers, no bodies.
 */
export type AuditEvent = {
  /** ISO 8601, UTC. */
  readonly at: string
  readonly requestId: string
  readonly event: AuditEventKind
  readonly userId?: string | undefined
  readonly username?: string | undefined
  readonly provider?: string | undefined
  readonly credential?:
    | {
        readonly kind: CredentialKind
        readonly form: 'cookie' | 'bearer' | 'basic'
        /** `sid` or `jti`; never the secret itself. */
        readonly id: string
      }
    | undefined
  /** Catalogue row, e.g. `runs.log_batch`. */
  readonly operation?: string | undefined
  readonly method: string
  readonly path: string
  /** Where it was, with `WORKSPACES`. */
  readonly workspace?: string | undefined
  readonly resources?: readonly AuditedResource[] | undefined
  readonly effect: 'allow' | 'deny' | 'error'
  /** Why, as a word to count by: `no_grant`, `level_too_low`, `expired`, ... */
  readonly reason?: string | undefined
  readonly status: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly durationMs: number
  /** Address of the socket's other end; never one a header claims. */
  readonly remoteAddress: string
}

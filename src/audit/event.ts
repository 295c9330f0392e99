import type { CredentialKind } from '../identity/principal.ts'
import type { Demand } from '../policy/decide.ts'

/** Demands kept in one event. */
export const MOST_ASKED = 100

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
  | 'store_migrated'
  | 'store_backed_up'
  | 'store_restored'
  | 'store_copied'
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
  /** The trace of the request, where one is kept. */
  readonly traceId?: string | undefined
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
  /**
   * What was asked of the caller's grants, to judge it again under another policy; absent for administrators, of whom
   * nothing is asked, and beyond {@link MOST_ASKED}.
   */
  readonly asked?: readonly Demand[] | undefined
  readonly effect: 'allow' | 'deny' | 'error'
  /** Why, as a word to count by: `no_grant`, `level_too_low`, `expired`, ... */
  readonly reason?: string | undefined
  readonly status: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly durationMs: number
  /** Address of the client: the connection's other end, or whom a trusted proxy there speaks for. */
  readonly remoteAddress: string
}

/**
 * A policy file was put in force, by nobody's request.
 *
 * @param digest SHA-256 of the file, hexadecimal: tells which version of it.
 */
export function policyAppliedEvent(requestId: string, digest: string): AuditEvent {
  return {
    ...{ at: new Date().toISOString(), requestId, event: 'policy_applied', provider: 'policy file' },
    ...{ method: 'FILE', path: 'POLICY_FILE', resources: [{ type: 'policy_file', id: digest }] },
    ...{ effect: 'allow', status: 0, bytesIn: 0, bytesOut: 0, durationMs: 0, remoteAddress: '' },
  }
}

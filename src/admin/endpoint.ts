import { createHash } from 'node:crypto'
import { type Static, type TObject, type TSchema, Type } from 'typebox'
import type { AuditEventKind, AuditedResource } from '../audit/event.ts'
import { GatewayError } from '../errors.ts'
import type { Caller } from '../identity/caller.ts'
import type { Keyring } from '../identity/keyring.ts'
import type { Lookup } from '../mlflow/lookup.ts'
import type { Operation } from '../mlflow/operation.ts'
import type { Upstream } from '../mlflow/upstream.ts'
import type { MemberConfig } from '../policy/member.ts'
import type { WorkspaceConfig } from '../policy/workspace-name.ts'
import type { Store } from '../store/store.ts'

/** What every endpoint may use. */
export type AdminParts = {
  readonly store: Store
  readonly lookup: Lookup
  readonly upstream: Pick<Upstream, 'getJson'>
  /** The workspace that these two ask in; absent while none are kept apart. See `partsIn`. */
  readonly workspace?: string | undefined
  /** What requests to a workspace are looked up with. */
  readonly servicesIn: (workspace: string) => Pick<AdminParts, 'lookup' | 'upstream'>
  readonly catalogue: readonly Operation[]
  readonly config: MemberConfig & WorkspaceConfig
  readonly keyring: Pick<Keyring, 'replace'>
  /** Seconds since the epoch. */
  readonly now: () => number
}

/** A request that was checked against its schemas. */
export type AdminRequest<P, Q, B> = {
  readonly caller: Caller
  readonly params: P
  readonly query: Q
  readonly body: B
  /** `If-Match` (RFC 9110 §13.1.1), as sent. */
  readonly ifMatch: string | undefined
}

export type AdminAnswer = {
  readonly body?: object
  /** 200, or 204 without a body, unless it says so. */
  readonly status?: number
  /** What the answer is a version of, for `If-Match`. */
  readonly etag?: string
  /** Where it was changed, if in a workspace. */
  readonly workspace?: string | undefined
  /** What was changed, for the record. */
  readonly resources?: readonly AuditedResource[]
}

/** One operation of the JSON API: what it takes, what it answers, who may ask, and what it does. */
export type Endpoint = {
  /** `roles.grant`: for the record and the OpenAPI document. */
  readonly name: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below `/auth/api/v1`, parameters as `:id`. */
  readonly path: string
  readonly summary: string
  /**
   * `workspace_admin`: administrators of a workspace too, in theirs; `signed_in`: everybody. With both the endpoint itself
   * looks at whom it concerns.
   */
  readonly who: 'admin' | 'workspace_admin' | 'signed_in'
  readonly params: TObject
  readonly query: TObject
  readonly body: TObject | undefined
  readonly answer: TSchema | undefined
  /** What it is on record as; reads are not recorded. */
  readonly event: AuditEventKind | undefined
  readonly handle: (request: AdminRequest<never, never, never>, parts: AdminParts) => Promise<AdminAnswer>
}

/** Looking, and ending what is one's own, is good at any time, also while nothing else may be changed. */
export function isHarmless({ method, event }: Pick<Endpoint, 'method' | 'event'>): boolean {
  return method === 'GET' || event === 'session_ended' || event === 'token_revoked'
}

type Spec<P extends TObject, Q extends TObject, B extends TObject> = Pick<
  Endpoint,
  'name' | 'method' | 'path' | 'summary' | 'who'
> & {
  readonly params?: P
  readonly query?: Q
  readonly body?: B
  readonly answer?: TSchema
  readonly event?: AuditEventKind
  readonly handle: (
    request: AdminRequest<Static<P>, Static<Q>, Static<B>>,
    parts: AdminParts,
  ) => Promise<AdminAnswer>
}

const NOTHING = Type.Object({}, { additionalProperties: false })

/** Makes an endpoint; what its handler gets has the types of its schemas. */
export function endpoint<
  P extends TObject = typeof NOTHING,
  Q extends TObject = typeof NOTHING,
  B extends TObject = typeof NOTHING,
>(spec: Spec<P, Q, B>): Endpoint {
  return {
    ...spec,
    params: spec.params ?? NOTHING,
    query: spec.query ?? NOTHING,
    body: spec.body,
    answer: spec.answer,
    event: spec.event,
  }
}

/** A strong entity tag of a JSON value (RFC 9110 §8.8.3). */
export function etagOf(value: unknown): string {
  return `"${createHash('sha256').update(JSON.stringify(value)).digest('base64url').slice(0, 22)}"`
}

/**
 * The entity tag that a change has to name, so that nobody changes what they have not seen.
 *
 * @throws {GatewayError} `ERR_PRECONDITION_REQUIRED` (RFC 6585 §3) if there is none.
 */
export function requiredMatch(ifMatch: string | undefined): string {
  if (ifMatch !== undefined && ifMatch !== '*') return ifMatch
  const message = 'Send If-Match with the ETag of what you have seen: somebody else may have changed it since'
  throw new GatewayError('ERR_PRECONDITION_REQUIRED', message)
}

/** @throws {GatewayError} `ERR_PRECONDITION_FAILED` if it is not what the caller has seen. */
export function assertMatch(ifMatch: string | undefined, current: unknown): void {
  if (requiredMatch(ifMatch) === etagOf(current)) return
  const message = 'It has changed meanwhile: look at it again, then change it'
  throw new GatewayError('ERR_PRECONDITION_FAILED', message)
}

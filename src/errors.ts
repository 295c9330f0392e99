import type { MissingAccess } from './policy/asked.ts'

/**
 * Every way the gateway says no, as one closed table: the HTTP status, the OAuth error code (RFC 6750 §3.1) for
 * `WWW-Authenticate`, and MLflow's own error code for the JSON body.
 */
const REFUSALS = {
  // RFC 6750 §3.1: no error code when no credential was sent.
  ERR_NO_CREDENTIAL: { status: 401, oauth: undefined, mlflow: 'UNAUTHENTICATED' },
  ERR_INVALID_TOKEN: { status: 401, oauth: 'invalid_token', mlflow: 'UNAUTHENTICATED' },
  ERR_EXPIRED_TOKEN: { status: 401, oauth: 'invalid_token', mlflow: 'UNAUTHENTICATED' },
  ERR_INSUFFICIENT_SCOPE: { status: 403, oauth: 'insufficient_scope', mlflow: 'PERMISSION_DENIED' },
  ERR_PERMISSION_DENIED: { status: 403, oauth: undefined, mlflow: 'PERMISSION_DENIED' },
  ERR_CROSS_ORIGIN: { status: 403, oauth: undefined, mlflow: 'PERMISSION_DENIED' },
  ERR_AMBIGUOUS_REQUEST: { status: 400, oauth: 'invalid_request', mlflow: 'INVALID_PARAMETER_VALUE' },
  ERR_INVALID_PARAMETER: { status: 400, oauth: 'invalid_request', mlflow: 'INVALID_PARAMETER_VALUE' },
  ERR_BAD_REQUEST: { status: 400, oauth: undefined, mlflow: 'BAD_REQUEST' },
  // 400 and not 409, as MLflow answers it (mlflow/exceptions.py, 3.17.2).
  ERR_ALREADY_EXISTS: { status: 400, oauth: undefined, mlflow: 'RESOURCE_ALREADY_EXISTS' },
  ERR_UNSUPPORTED_MEDIA_TYPE: { status: 415, oauth: undefined, mlflow: 'INVALID_PARAMETER_VALUE' },
  ERR_BODY_TOO_LARGE: { status: 413, oauth: undefined, mlflow: 'REQUEST_LIMIT_EXCEEDED' },
  ERR_TOO_MANY_REQUESTS: { status: 429, oauth: undefined, mlflow: 'REQUEST_LIMIT_EXCEEDED' },
  ERR_WRONG_HOST: { status: 421, oauth: undefined, mlflow: 'INVALID_PARAMETER_VALUE' },
  ERR_NO_SUCH_ROUTE: { status: 404, oauth: undefined, mlflow: 'ENDPOINT_NOT_FOUND' },
  ERR_NOT_FOUND: { status: 404, oauth: undefined, mlflow: 'RESOURCE_DOES_NOT_EXIST' },
  // RFC 9110 §13.1.1 and RFC 6585 §3.
  ERR_PRECONDITION_FAILED: { status: 412, oauth: undefined, mlflow: 'RESOURCE_CONFLICT' },
  ERR_PRECONDITION_REQUIRED: { status: 428, oauth: undefined, mlflow: 'INVALID_PARAMETER_VALUE' },
  ERR_SIGN_IN_FAILED: { status: 400, oauth: undefined, mlflow: 'BAD_REQUEST' },
  ERR_LOCKED_DOWN: { status: 503, oauth: undefined, mlflow: 'TEMPORARILY_UNAVAILABLE' },
  ERR_PROVIDER_UNREACHABLE: { status: 503, oauth: undefined, mlflow: 'TEMPORARILY_UNAVAILABLE' },
  ERR_STORE_UNAVAILABLE: { status: 503, oauth: undefined, mlflow: 'TEMPORARILY_UNAVAILABLE' },
  ERR_UPSTREAM_UNREACHABLE: { status: 502, oauth: undefined, mlflow: 'TEMPORARILY_UNAVAILABLE' },
  ERR_UPSTREAM_INVALID: { status: 502, oauth: undefined, mlflow: 'INTERNAL_ERROR' },
  ERR_UPSTREAM_TIMEOUT: { status: 504, oauth: undefined, mlflow: 'TEMPORARILY_UNAVAILABLE' },
  ERR_INTERNAL: { status: 500, oauth: undefined, mlflow: 'INTERNAL_ERROR' },
} as const satisfies Record<string, Refusal>

/** How one kind of refusal looks on the wire. */
export type Refusal = {
  readonly status: number
  readonly oauth: string | undefined
  readonly mlflow: string
}

export type ErrorCode = keyof typeof REFUSALS

/** What a refusal may carry besides its sentence; none of it is shown unless its comment says so. */
export type GatewayErrorOptions = {
  /** The fault behind it. Logged, never sent. */
  readonly cause?: unknown
  /** Machine-readable reason for the audit line (`no_grant`, `level_too_low`, `expired`, ...). */
  readonly reason?: string
  /** Seconds until it may be tried again: `Retry-After` (RFC 9110 §10.2.3). */
  readonly retryAfter?: number
  /** The right that would have allowed it. Shown: it holds nothing but what the request said and the refusal says. */
  readonly missing?: MissingAccess | undefined
}

/** The only error the gateway raises on purpose; `plugins/errors.ts` is the only place that renders it. */
export class GatewayError extends Error {
  readonly code: ErrorCode
  readonly reason: string | undefined
  readonly retryAfter: number | undefined
  readonly missing: MissingAccess | undefined

  /** @param message A sentence for the caller: what happened, why, what to do. Holds no secret and no upstream address. */
  constructor(code: ErrorCode, message: string, options: GatewayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'GatewayError'
    this.code = code
    this.reason = options.reason
    this.retryAfter = options.retryAfter
    this.missing = options.missing
  }

  get refusal(): Refusal {
    return REFUSALS[this.code]
  }

  /** For the record: what somebody decided, or what went wrong. */
  get effect(): 'deny' | 'error' {
    return this.refusal.status >= 500 && this.code !== 'ERR_LOCKED_DOWN' ? 'error' : 'deny'
  }
}

/** True for a {@link GatewayError}, of the given code if one is named. */
export function isGatewayError(error: unknown, code?: ErrorCode): error is GatewayError {
  return error instanceof GatewayError && (code === undefined || error.code === code)
}

/** The program's own log, for what runs in the background. */
export type ProgramLog = {
  readonly info: (fields: object, message: string) => void
  readonly warn: (fields: object, message: string) => void
}

/** A fault as it may be logged: named fields only, so that nothing a library hangs on its errors comes along. */
export type LoggedError = {
  readonly type: string
  readonly code?: string
  readonly message: string
  readonly stack: string
  readonly cause?: LoggedError
  /** Fastify's serializers are typed as open records. */
  readonly [name: string]: unknown
}

/** What of a request's head is logged. */
type LoggableRequest = { readonly method: string; readonly url: string; readonly id?: unknown }

/** How deep `cause` is followed: a chain may lead back to itself. */
const CAUSES = 5

/**
 * Options for the program's own log (pino): no query string, no header and no body is ever in it, of an error only its
 * type, code, message and stack; and whatever looks like a credential is taken out of each finished line.
 */
export function programLog(level: string) {
  return {
    level,
    hooks: { streamWrite: scrub },
    base: null,
    timestamp: () => `,"at":"${new Date().toISOString()}"`,
    serializers: {
      req: ({ method, url, id }: LoggableRequest) => ({ id, method, path: url.split('?', 1)[0] }),
      res: ({ statusCode }: { readonly statusCode: string | number }) => ({ statusCode }),
      err: (fault: unknown) => loggedError(fault),
    },
  }
}

/** @returns The error's own words; for a thrown value that is no error, its type alone. */
export function loggedError(fault: unknown, depth = CAUSES): LoggedError {
  if (!(fault instanceof Error)) {
    return { type: typeof fault, message: 'a value that is no Error was thrown', stack: '' }
  }
  const { code } = fault as { code?: unknown }
  return {
    type: fault.name,
    ...(typeof code === 'string' ? { code } : {}),
    message: fault.message,
    stack: fault.stack ?? '',
    ...(fault.cause === undefined || depth === 0 ? {} : { cause: loggedError(fault.cause, depth - 1) }),
  }
}

/**
 * Takes out what may be a secret in text we did not write: JWTs and JWEs, the query of a URL (codes, states), user
 * and password of a URL, what follows `Bearer` or `Basic`. Leaves JSON valid: no match reaches over a quote or a
 * backslash.
 */
export function scrub(text: string): string {
  return text
    .replace(/\beyJ[\w-]*(?:\.[\w-]*){1,4}/g, '[token]')
    .replace(/\b(Bearer|Basic)\s+[\w+/=.~-]+/gi, '$1 [credential]')
    .replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@'"\\]*@/gi, '$1[user]@')
    .replace(/([a-z][a-z0-9+.-]*:\/\/[^\s?'"\\]*)\?[^\s'"\\]*/gi, '$1?[query]')
}

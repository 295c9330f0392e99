/** Why something could not be reached, in words; or the code if it is none of the usual ones. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was cut off',
  ENOTFOUND: 'there is no such host name',
  EAI_AGAIN: 'the host name could not be looked up',
  ETIMEDOUT: 'nothing answers there',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that network',
  UND_ERR_CONNECT_TIMEOUT: 'nothing answers there',
  UND_ERR_SOCKET: 'the connection was cut off',
  UND_ERR_HEADERS_TIMEOUT: 'it takes the request and says nothing',
  TimeoutError: 'it does not answer in time',
  AbortError: 'it does not answer in time',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet, or the clock here is wrong',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is not trusted here',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is not trusted here',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is not trusted here',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is not trusted here',
  HOSTNAME_MISMATCH: 'its certificate is for another name',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS on that port',
  EPROTO: 'it does not speak TLS on that port',
  HPE_INVALID_CONSTANT: 'it does not speak HTTP, or speaks TLS, on that port',
}

/** Codes of certificates that are in order, but not by an authority that is known here. */
const UNTRUSTED = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
])

/** What kept a connection or an answer from coming about. */
export type ReachFault = {
  /** Node's, undici's or OpenSSL's name for it. */
  readonly code: string
  /** The rest of a sentence; holds no address. */
  readonly reason: string
  readonly isUntrusted: boolean
}

/** Reads the fault, or what is behind it. */
export function reachFault(error: unknown): ReachFault {
  return faultOf(codes(error).find((code) => code in REASONS) ?? codes(error).at(-1) ?? 'unknown')
}

/** The same for a code. */
export function faultOf(code: string): ReachFault {
  return { code, reason: REASONS[code] ?? `it failed with ${code}`, isUntrusted: UNTRUSTED.has(code) }
}

/** Codes and names from the outside in; several addresses of one name fail as one AggregateError. */
function codes(error: unknown, depth = 6): string[] {
  if (!(error instanceof Error) || depth === 0) return []
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name
  const [first] = error instanceof AggregateError ? error.errors : [error.cause]
  return [code, ...codes(first, depth - 1)]
}

/** An answer that was read whole, or why there is none. */
export type Reached =
  | { readonly response: Response; readonly text: string; readonly atMs: number }
  | { readonly fault: ReachFault }

/** Longest answer that is looked at, in bytes. */
const MOST = 1024 * 1024

/**
 * Asks for a page, follows no redirect, and reads at most {@link MOST} of it. Never rejects.
 *
 * @returns With it the middle between asking and the answer's head, by `nowMs`: when the other end said so.
 */
export async function reach(
  send: typeof fetch,
  url: string,
  init: RequestInit & { readonly signal: AbortSignal },
  nowMs: () => number,
): Promise<Reached> {
  const sent = nowMs()
  try {
    const response = await send(url, { ...init, redirect: 'manual' })
    const atMs = (sent + nowMs()) / 2
    return { response, text: await readStart(response), atMs }
  } catch (error) {
    return { fault: reachFault(error) }
  }
}

async function readStart(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk)
    size += chunk.length
    if (size >= MOST) break
  }
  return Buffer.concat(chunks).toString('utf8')
}

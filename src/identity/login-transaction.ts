import { hash, randomBytes } from 'node:crypto'
import { CompactEncrypt, compactDecrypt } from 'jose'
import { deriveKey } from './sealing.ts'

/** How long signing in at the provider may take, seconds. */
export const TRANSACTION_TTL = 600

/** How many sign-ins one browser may have under way (ten tabs restored at once and some to spare). */
const MAX_PER_BROWSER = 12

/** All of them go with every request, and common proxies take 8 KiB of one header. */
const MAX_BYTES = 6144

/** One sign-in under way: what the callback has to match. */
export type LoginTransaction = {
  readonly provider: string
  /** Ties the callback to this browser (RFC 6749 §10.12). */
  readonly state: string
  /** Ties the ID Token to this sign-in (OIDC Core 1.0 §3.1.2.1). */
  readonly nonce: string
  /** PKCE (RFC 7636 §4.1). */
  readonly codeVerifier: string
  /** A path {@link safeReturnPath} let through. */
  readonly returnTo: string
  /** Seconds since the epoch. */
  readonly startedAt: number
}

export type LoginTransactions = {
  /** A transaction with fresh random values. Nothing is kept here. */
  begin(provider: string, returnTo: string): LoginTransaction
  /** @returns The cookie that holds the transaction, encrypted. */
  seal(transaction: LoginTransaction): Promise<{ name: string; value: string }>
  /**
   * Finds the transaction a callback belongs to among the browser's cookies.
   *
   * @returns `undefined` if there is none for this state and provider, it is too old, or not sealed by us.
   */
  open(
    cookies: Readonly<Record<string, string | undefined>>,
    expected: { readonly provider: string; readonly state: string },
  ): Promise<LoginTransaction | undefined>
  /** The name of the cookie for a state. */
  cookieName(state: string): string
  /** Names of the cookies to drop before one more of `newBytes` is set: the oldest beyond the bounds. */
  surplus(cookies: Readonly<Record<string, string | undefined>>, newBytes: number): string[]
}

/**
 * Keeps sign-ins under way in the browser itself, so that nothing is stored for strangers and any replica can finish
 * any sign-in. docs/decisions/0003-login-transaction.md
 *
 * @param options.prefix Begins every cookie's name.
 */
export function createLoginTransactions(options: {
  readonly secret: string
  readonly now: () => number
  readonly prefix: string
}): LoginTransactions {
  const key = deriveKey(options.secret, 'login-transaction')
  const cookieName = (state: string) => options.prefix + hash('sha256', state, 'base64url').slice(0, 8)
  return {
    begin: (provider, returnTo) => ({
      provider,
      // 128 bits each (RFC 6749 §10.10): a dozen of these cookies have to fit into one header. PKCE asks for more.
      state: randomText(16),
      nonce: randomText(16),
      codeVerifier: randomText(32),
      returnTo,
      startedAt: options.now(),
    }),
    async seal(transaction) {
      const jwe = await new CompactEncrypt(Buffer.from(JSON.stringify(transaction)))
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
        .encrypt(key)
      // The time in front is only for dropping the oldest; the one that counts is inside.
      return { name: cookieName(transaction.state), value: `${transaction.startedAt.toString(36)}.${jwe}` }
    },
    async open(cookies, { provider, state }) {
      const transaction = await decrypt(cookies[cookieName(state)], key)
      if (transaction === undefined) return undefined
      const fits = transaction.state === state && transaction.provider === provider
      return fits && transaction.startedAt + TRANSACTION_TTL > options.now() ? transaction : undefined
    },
    cookieName,
    surplus: (cookies, newBytes) => chooseSurplus(cookies, options.prefix, newBytes),
  }
}

/** A time and a JWE (RFC 7516 §7.1) of `dir`. Base64 decoders skip what is none; a seal has one spelling. */
const SEALED = /^[0-9a-z]+\.[\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+$/

async function decrypt(value: string | undefined, key: Uint8Array): Promise<LoginTransaction | undefined> {
  if (value === undefined || !SEALED.test(value)) return undefined
  try {
    const jwe = value.slice(value.indexOf('.') + 1)
    const { plaintext } = await compactDecrypt(jwe, key, {
      keyManagementAlgorithms: ['dir'],
      contentEncryptionAlgorithms: ['A256GCM'],
    })
    // Encrypted by us and authenticated, so it has the shape we gave it.
    return JSON.parse(Buffer.from(plaintext).toString()) as LoginTransaction
  } catch {
    return undefined
  }
}

function chooseSurplus(
  cookies: Readonly<Record<string, string | undefined>>,
  prefix: string,
  newBytes: number,
): string[] {
  const newestFirst = Object.entries(cookies)
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, value = '']) => ({ name, bytes: name.length + value.length, startedAt: startedAt(value) }))
    .sort((a, b) => b.startedAt - a.startedAt)
  let bytes = newBytes
  return newestFirst
    .filter((cookie, index) => {
      bytes += cookie.bytes
      return index >= MAX_PER_BROWSER - 1 || bytes > MAX_BYTES
    })
    .map(({ name }) => name)
}

function startedAt(value: string): number {
  const time = Number.parseInt(value.slice(0, value.indexOf('.')), 36)
  return Number.isFinite(time) ? time : 0
}

function randomText(bytes: number): string {
  return randomBytes(bytes).toString('base64url')
}

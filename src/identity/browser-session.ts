import type { Sessions } from '../store/sessions.ts'
import { createSealer, type Sealer } from './sealing.ts'

/** A longer ID Token is no use as a hint for signing out, so it is not kept. */
const MAX_ID_TOKEN = 4096

/** What is kept of a browser's session. Times in seconds since the epoch. */
export type BrowserSession = {
  readonly userId: string
  readonly provider: string
  /** At the provider. */
  readonly subject: string
  /** What the provider ends it by, see `providerSessionKey`; absent where it gave no `sid`. */
  readonly providerSession?: string | undefined
  readonly absoluteExpiresAt: number
  /** When the provider last said which groups the person is in. */
  readonly groupsReadAt: number
  /** Until then another request, perhaps of another replica, is asking the provider. */
  readonly refreshingUntil?: number | undefined
  readonly refreshToken?: string | undefined
  readonly idToken?: string | undefined
}

/** A session as it was read. */
export type FoundSession = BrowserSession & {
  /** The row's data, to tell whether it is still that. */
  readonly stored: string
}

/** `sid` is the store's id of a session, see `sessionStoreId`. */
export type BrowserSessions = {
  /** @returns `undefined` if it has ended or expired. */
  read(sid: string): Promise<FoundSession | undefined>
  /** Makes or saves the session and puts off its idle expiry. @returns False if it has ended meanwhile. */
  write(sid: string, session: BrowserSession): Promise<boolean>
  /**
   * Notes that the provider is being asked until then, for one request among those of all replicas.
   *
   * @returns False if the session has ended, or somebody has saved it since it was read.
   */
  claim(sid: string, session: FoundSession, until: number): Promise<boolean>
  /** Puts off the idle expiry, whatever others have saved. @returns False if the session has ended meanwhile. */
  extend(sid: string): Promise<boolean>
  /** Ends it on every replica. */
  end(sid: string): Promise<void>
}

export type BrowserSessionOptions = {
  readonly store: { readonly sessions: Pick<Sessions, 'get' | 'set' | 'swap' | 'extend' | 'destroy'> }
  /** `GATEWAY_SECRET`. */
  readonly secret: string
  readonly now: () => number
  /** Seconds without a renewal. */
  readonly idleTtl: number
}

/** Sessions as rows of the store, the provider's tokens in them sealed. */
export function createBrowserSessions(options: BrowserSessionOptions): BrowserSessions {
  const { sessions } = options.store
  const sealer = createSealer(options.secret, 'session')
  return {
    async read(sid) {
      const row = await sessions.get(sid)
      if (row === undefined) return undefined
      const { userId, absoluteExpiresAt } = row
      return { userId, absoluteExpiresAt, ...decode(row.data, sid, sealer), stored: row.data }
    },
    write(sid, session) {
      const { userId, absoluteExpiresAt, providerSession } = session
      const idleExpiresAt = options.now() + options.idleTtl
      const data = encode(session, sid, sealer)
      return sessions.set(sid, data, { userId, idleExpiresAt, absoluteExpiresAt, providerSession })
    },
    claim: (sid, session, refreshingUntil) =>
      sessions.swap(sid, { from: session.stored, to: encode({ ...session, refreshingUntil }, sid, sealer) }),
    extend: (sid) => sessions.extend(sid, options.now() + options.idleTtl),
    async end(sid) {
      await sessions.destroy(sid)
    },
  }
}

type Tokens = Pick<BrowserSession, 'refreshToken' | 'idToken'>
type Kept = Omit<BrowserSession, 'userId' | 'absoluteExpiresAt' | keyof Tokens>

function encode(session: BrowserSession, sid: string, sealer: Sealer): string {
  const { provider, subject, providerSession, groupsReadAt, refreshingUntil, refreshToken, idToken } = session
  const kept: Kept = { provider, subject, providerSession, groupsReadAt, refreshingUntil }
  const hint = idToken !== undefined && idToken.length <= MAX_ID_TOKEN ? idToken : undefined
  const sealed = sealer.seal(JSON.stringify({ refreshToken, idToken: hint } satisfies Tokens), sid)
  return JSON.stringify({ ...kept, sealed })
}

/** What another GATEWAY_SECRET sealed is gone: such a session goes on without the provider's tokens. */
function decode(data: string, sid: string, sealer: Sealer): Kept & Tokens {
  const { sealed, ...kept } = JSON.parse(data) as Kept & { readonly sealed: string }
  const tokens = sealer.open(sealed, sid)
  return tokens === undefined ? kept : { ...kept, ...(JSON.parse(tokens) as Tokens) }
}

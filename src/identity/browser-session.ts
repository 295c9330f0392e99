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
  readonly absoluteExpiresAt: number
  /** When the provider last said which groups the person is in. */
  readonly groupsReadAt: number
  /** Until then another request, perhaps of another replica, is asking the provider. */
  readonly refreshingUntil?: number | undefined
  readonly refreshToken?: string | undefined
  readonly idToken?: string | undefined
}

/** `sid` is the store's id of a session, see `sessionStoreId`. */
export type BrowserSessions = {
  /** @returns `undefined` if it has ended or expired. */
  read(sid: string): Promise<BrowserSession | undefined>
  /** Makes or saves the session and puts off its idle expiry. @returns False if it has ended meanwhile. */
  write(sid: string, session: BrowserSession): Promise<boolean>
  /** Ends it on every replica. */
  end(sid: string): Promise<void>
}

export type BrowserSessionOptions = {
  readonly store: { readonly sessions: Pick<Sessions, 'get' | 'set' | 'destroy'> }
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
      return { userId, absoluteExpiresAt, ...decode(row.data, sid, sealer) }
    },
    write(sid, session) {
      const { userId, absoluteExpiresAt } = session
      const idleExpiresAt = options.now() + options.idleTtl
      return sessions.set(sid, encode(session, sid, sealer), { userId, idleExpiresAt, absoluteExpiresAt })
    },
    async end(sid) {
      await sessions.destroy(sid)
    },
  }
}

type Tokens = Pick<BrowserSession, 'refreshToken' | 'idToken'>
type Kept = Omit<BrowserSession, 'userId' | 'absoluteExpiresAt' | keyof Tokens>

function encode(session: BrowserSession, sid: string, sealer: Sealer): string {
  const { provider, subject, groupsReadAt, refreshingUntil, refreshToken, idToken } = session
  const kept: Kept = { provider, subject, groupsReadAt, refreshingUntil }
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

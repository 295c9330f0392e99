import { setTimeout as sleep } from 'node:timers/promises'
import { isGatewayError } from '../errors.ts'
import type { Directory } from '../policy/directory.ts'
import type { People } from '../store/people.ts'
import type { BrowserSession, BrowserSessions, FoundSession } from './browser-session.ts'
import type { Provider, SignIn } from './provider.ts'
import type { SessionCookies } from './session-cookie.ts'
import type { SessionClaims, SessionTokens } from './session-token.ts'
import { createSingleFlight } from './single-flight.ts'

/** How long one request may keep others from asking the provider, seconds. */
const REFRESH_LEASE = 30

/**
 * How long a renewal waits for the provider, milliseconds. A page of MLflow's waits with it; what comes later counts from
 * the next renewal on.
 */
const PATIENCE_MS = 3000

/** When the provider refused, how often and how far apart the session is read again before it is ended, milliseconds. */
const SECOND_LOOKS_MS = [0, 100, 300]

/** A session token that was just signed. */
export type Renewed = SessionClaims & { readonly token: string }

export type Renewal = {
  /**
   * Signs a new session token for a session that goes on. However many requests ask at once, it happens once.
   *
   * @param sessionCookie As the browser sent it.
   * @returns `undefined` if the session has ended, for whatever reason.
   * @throws {GatewayError} `ERR_STORE_UNAVAILABLE`
   */
  renew(sessionCookie: string): Promise<Renewed | undefined>
}

export type RenewalOptions = {
  readonly sessions: BrowserSessions
  readonly cookies: SessionCookies
  readonly tokens: SessionTokens
  readonly people: Pick<People, 'signIn'>
  readonly directory: Pick<Directory, 'refresh'>
  readonly providers: ReadonlyMap<string, Provider>
  readonly now: () => number
  /** Seconds a session token lives, and how old what the provider said may get. */
  readonly tokenTtl: number
  /** Told why a provider could not be asked; the session goes on. */
  readonly onFault?: ((fault: unknown) => void) | undefined
}

/** Renewals of session tokens from the sessions behind them; the moment rights are read again at the provider. */
export function createRenewal(options: RenewalOptions): Renewal {
  const once = createSingleFlight<Renewed | undefined>()
  return {
    async renew(sessionCookie) {
      const sid = options.cookies.storeId(sessionCookie)
      return sid === undefined ? undefined : once(sid, () => renewOnce(sid, options))
    },
  }
}

/** The expiry of a session token: its own life, and never past the session's. */
export function tokenExpiry(session: BrowserSession, now: number, tokenTtl: number): number {
  return Math.min(now + tokenTtl, session.absoluteExpiresAt)
}

async function renewOnce(sid: string, options: RenewalOptions): Promise<Renewed | undefined> {
  const { sessions, tokens, now, tokenTtl } = options
  const found = await sessions.read(sid)
  if (found === undefined) return undefined
  const session = isDue(found, options) ? await refreshGroups(sid, found, options) : found
  // Not written back as it was read: another replica may have saved a newer refresh token since.
  if (session === undefined || !(await sessions.extend(sid))) return undefined
  const claims = { userId: session.userId, sid, expiresAt: tokenExpiry(session, now(), tokenTtl) }
  return { ...claims, token: await tokens.issue(claims) }
}

/** True if nobody has asked the provider lately, and nobody is about to. */
function isDue(session: BrowserSession, { providers, now, tokenTtl }: RenewalOptions): boolean {
  const isFresh = session.groupsReadAt + tokenTtl > now()
  const isBeingAsked = (session.refreshingUntil ?? 0) > now()
  return !providers.has(session.provider) || !(isFresh || isBeingAsked)
}

/**
 * @returns The session as saved, with what the provider says now, or as it was if that takes too long; `undefined` if the
 *   provider has ended it.
 */
async function refreshGroups(
  sid: string,
  session: FoundSession,
  options: RenewalOptions,
): Promise<BrowserSession | undefined> {
  const { sessions, now } = options
  const provider = options.providers.get(session.provider)
  if (provider === undefined) return undefined
  const { refreshToken } = session
  if (refreshToken === undefined) return session
  if (!(await sessions.claim(sid, session, now() + REFRESH_LEASE))) return sessions.read(sid)
  const answer = provider.refresh(refreshToken, session.subject)
  const followed = follow(answer, sid, session, options)
  if (await settlesSoon(answer)) return followed
  // Also carried through when nobody waits any more: a refresh token that was spent must not be lost.
  followed.catch((fault) => options.onFault?.(fault))
  return session
}

function settlesSoon(answer: Promise<unknown>): Promise<boolean> {
  const settled = answer.then(
    () => true,
    () => true,
  )
  return Promise.race([settled, sleep(PATIENCE_MS, false, { ref: false })])
}

/** Keeps what the provider says, whenever it says it. */
async function follow(
  answer: Promise<SignIn>,
  sid: string,
  session: FoundSession,
  options: RenewalOptions,
): Promise<BrowserSession | undefined> {
  const { sessions } = options
  try {
    const adopted = await adopt(session, await answer, options)
    return (await sessions.write(sid, adopted)) ? adopted : undefined
  } catch (fault) {
    if (isGatewayError(fault, 'ERR_STORE_UNAVAILABLE')) throw fault
    if (isGatewayError(fault, 'ERR_SIGN_IN_FAILED') && fault.reason === 'invalid_grant') {
      return secondLook(sid, session, options)
    }
    options.onFault?.(fault)
    const unasked = { ...session, refreshingUntil: undefined }
    return (await sessions.write(sid, unasked)) ? unasked : undefined
  }
}

async function adopt(
  session: BrowserSession,
  signIn: SignIn,
  options: RenewalOptions,
): Promise<BrowserSession> {
  await options.people.signIn(signIn)
  await options.directory.refresh()
  return {
    ...session,
    groupsReadAt: options.now(),
    refreshingUntil: undefined,
    refreshToken: signIn.refreshToken,
    idToken: signIn.idToken ?? session.idToken,
  }
}

/**
 * The provider refused the refresh token. With rotation that also happens to whoever comes second, so the session is
 * read again before it is ended: another replica may have saved a newer token (field report 63).
 */
async function secondLook(
  sid: string,
  before: BrowserSession,
  { sessions }: RenewalOptions,
): Promise<BrowserSession | undefined> {
  for (const delay of SECOND_LOOKS_MS) {
    if (delay > 0) await sleep(delay)
    const now = await sessions.read(sid)
    if (now === undefined) return undefined
    if (now.refreshToken !== before.refreshToken) return now
  }
  await sessions.end(sid)
  return undefined
}

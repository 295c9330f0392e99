import { GatewayError } from '../errors.ts'
import { compositeKey } from '../store/composite-key.ts'
import { providerSessionKey } from '../store/sessions.ts'
import type { Store } from '../store/store.ts'
import type { BrowserSession, BrowserSessions } from './browser-session.ts'
import type { ProviderLogout } from './logout-token.ts'
import type { Provider } from './provider.ts'
import type { SignedOut } from './signed-out.ts'

/** What a provider's logout token has ended. */
export type EndedSessions = {
  /** Store ids of the sessions. */
  readonly sids: readonly string[]
  /** Whose they were, if there were any. */
  readonly userId: string | undefined
}

export type ProviderLogoutOptions = {
  readonly providers: ReadonlyMap<string, Provider>
  readonly sessions: Pick<BrowserSessions, 'read' | 'end'>
  readonly signedOut: Pick<SignedOut, 'note'>
  readonly store: {
    readonly people: Pick<Store['people'], 'find'>
    readonly sessions: Pick<Store['sessions'], 'list' | 'begunBy'>
    readonly logoutTokens: Pick<Store['logoutTokens'], 'isUsed' | 'use'>
  }
}

/**
 * Ends the browser sessions that a provider's logout token names (OpenID Connect Back-Channel Logout 1.0 §2.7), those
 * begun at that provider and no others. Access tokens go on: a person has made them for scripts, which work while
 * nobody is signed in.
 *
 * @throws {GatewayError} `ERR_INVALID_TOKEN`, `ERR_EXPIRED_TOKEN`, `ERR_PROVIDER_UNREACHABLE`, `ERR_STORE_UNAVAILABLE`.
 */
export type EndByProvider = (providerId: string, token: string) => Promise<EndedSessions>

export function createEndByProvider(options: ProviderLogoutOptions): EndByProvider {
  const { providers, sessions, signedOut, store } = options
  return async (providerId, token) => {
    const verify = providers.get(providerId)?.verifyLogout
    if (verify === undefined) throw refused('This provider cannot end sessions here', 'no_such_provider')
    const logout = await verify(token)
    const id = compositeKey(logout.issuer, logout.tokenId)
    if (await store.logoutTokens.isUsed(id)) throw refused('This logout token was used before', 'replayed')
    await signedOut.note(providerId, logout)
    let userId: string | undefined
    const sids: string[] = []
    for (const sid of await candidates(providerId, logout, store)) {
      const session = await sessions.read(sid)
      if (session === undefined || !isMeant(session, providerId, logout)) continue
      await sessions.end(sid)
      sids.push(sid)
      userId = session.userId
    }
    // Last: if the store fails on the way, the provider may send it again.
    if (!(await store.logoutTokens.use(id, logout.usableUntil)))
      throw refused('This logout token was used before', 'replayed')
    return { sids, userId }
  }
}

/** By the subject where there is one: sessions from before an upgrade, or of providers without `sid`, have no other mark. */
async function candidates(
  providerId: string,
  { issuer, subject, sid }: ProviderLogout,
  { people, sessions }: ProviderLogoutOptions['store'],
): Promise<readonly string[]> {
  if (subject !== undefined) {
    const person = await people.find({ issuer, subject })
    return person === undefined ? [] : (await sessions.list(person.id)).map(({ id }) => id)
  }
  return sid === undefined ? [] : sessions.begunBy(providerSessionKey(providerId, sid))
}

/** A session of that subject of which it is not known by what name the provider has it may be the one that is meant. */
function isMeant(session: BrowserSession, providerId: string, { subject, sid }: ProviderLogout): boolean {
  if (session.provider !== providerId) return false
  if (subject !== undefined && session.subject !== subject) return false
  if (sid === undefined || session.providerSession === undefined) return true
  return session.providerSession === providerSessionKey(providerId, sid)
}

function refused(message: string, reason: string): GatewayError {
  return new GatewayError('ERR_INVALID_TOKEN', message, { reason })
}

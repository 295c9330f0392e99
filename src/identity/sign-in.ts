import { GatewayError } from '../errors.ts'
import type { Directory } from '../policy/directory.ts'
import type { People } from '../store/people.ts'
import type { Person } from '../store/person.ts'
import { providerSessionKey } from '../store/sessions.ts'
import type { BrowserSession } from './browser-session.ts'
import type { ProviderToken, SignIn } from './provider.ts'

export type SignInOptions = {
  readonly people: Pick<People, 'signIn' | 'find'>
  readonly directory: Pick<Directory, 'refresh'>
  readonly now: () => number
  /** Seconds from signing in until one has to sign in again. */
  readonly absoluteTtl: number
}

/**
 * Records a completed sign-in with the groups the provider gives now, seen by this process at once.
 *
 * @returns The person, and the session to begin.
 * @throws {GatewayError} `ERR_SIGN_IN_FAILED` if the account is disabled here; `ERR_STORE_UNAVAILABLE`.
 */
export async function recordSignIn(
  signIn: SignIn,
  { people, directory, now, absoluteTtl }: SignInOptions,
): Promise<{ person: Person; session: BrowserSession }> {
  const person = await people.signIn(signIn)
  if (person.disabled) {
    throw new GatewayError('ERR_SIGN_IN_FAILED', 'This account is disabled here', { reason: 'disabled' })
  }
  await directory.refresh()
  const session = {
    userId: person.id,
    provider: signIn.provider,
    subject: signIn.subject,
    providerSession: signIn.sid && providerSessionKey(signIn.provider, signIn.sid),
    absoluteExpiresAt: now() + absoluteTtl,
    groupsReadAt: now(),
    refreshToken: signIn.refreshToken,
    idToken: signIn.idToken,
  }
  return { person, session }
}

/**
 * The person a provider's bearer token speaks for, made on first sight (field report 41).
 *
 * A token's groups count only if nothing newer is known of the person: else an older token could give back, also to
 * their browser sessions, a group that the provider has taken away since.
 *
 * @returns The user id.
 */
export async function recordBearer(
  token: ProviderToken,
  { people, directory }: Pick<SignInOptions, 'people' | 'directory'>,
): Promise<string> {
  const known = await people.find({ issuer: token.issuer, subject: token.subject })
  const isNews = token.saysGroups && token.issuedAt >= (known?.lastSeenAt ?? 0)
  if (known !== undefined && !isNews) return known.id
  const { id } = await people.signIn(token)
  await directory.refresh()
  return id
}

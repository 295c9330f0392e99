import type { Config } from '../../src/config.ts'
import { createAccessTokens } from '../../src/identity/access-token.ts'
import { createBrowserSessions } from '../../src/identity/browser-session.ts'
import { cookieSettings } from '../../src/identity/cookies.ts'
import { ownIssuer } from '../../src/identity/gateway-token.ts'
import { createKeyring } from '../../src/identity/keyring.ts'
import type { Scope } from '../../src/identity/principal.ts'
import { createSessionCookies } from '../../src/identity/session-cookie.ts'
import { createSessionTokens } from '../../src/identity/session-token.ts'
import { type Level, RESOURCE_TYPES } from '../../src/policy/grants.ts'
import { sessionStoreId } from '../../src/store/sessions.ts'
import type { Store } from '../../src/store/store.ts'
import { JOB_A } from './stand-in-genai.ts'

/**
 * `admin`; `editor` and `reader`, who hold EDIT and READ on what is named `alpha/*` or `alpha-*`; `outsider`, who
 * holds nothing; `readonly`, a read-only token of the editor; `observer`, a read-only token of the admin.
 */
export type MemberName = 'admin' | 'editor' | 'reader' | 'outsider' | 'readonly' | 'observer'

export type Member = {
  readonly userId: string
  /** An access token. */
  readonly token: string
  /** A `Cookie` header's value: a browser session's token, and the session itself. */
  readonly cookie: string
}

export type Seeding = { readonly store: Store; readonly config: Config; readonly now: () => number }

const DAY = 86_400

/** Puts everybody into the store and makes each an access token and a browser session, by the parts that make real ones. */
export async function seedMembers(seeding: Seeding): Promise<Readonly<Record<MemberName, Member>>> {
  const { store, config, now } = seeding
  const { gatewaySecret: secret, publicUrl, accessTokenMaxTtl: maxTtl } = config
  const keyring = await createKeyring({ store, secret, now, tokenMaxTtl: maxTtl })
  const tokens = { keyring, issuer: ownIssuer(publicUrl), now }
  const accessTokens = createAccessTokens({ ...tokens, store, maxTtl })
  const sessionTokens = createSessionTokens(tokens)

  const member = async (username: string, scope: readonly Scope[] = []): Promise<Member> => {
    const { id: userId } = await store.people.signIn({
      ...{ provider: 'oidc', issuer: 'https://issuer.invalid', subject: `subject-${username}`, username },
      groups: [],
    })
    const { token } = await accessTokens.create({ userId, name: 'test', scope, ttl: DAY })
    return { userId, token, cookie: await seedSession(seeding, userId, sessionTokens) }
  }
  const [admin, editor, reader] = [await member('admin'), await member('editor'), await member('reader')]
  await giveRole(store, editor.userId, 'alpha-editor', 'EDIT')
  await giveRole(store, reader.userId, 'alpha-reader', 'READ')
  await store.jobs.remember(editor.userId, [JOB_A])
  return {
    ...{ admin, editor, reader, outsider: await member('outsider') },
    ...{ readonly: await member('editor', ['read']), observer: await member('admin', ['read']) },
  }
}

async function giveRole(store: Store, userId: string, name: string, level: Level): Promise<void> {
  const role = await store.roles.create({ name })
  for (const resourceType of RESOURCE_TYPES) {
    for (const pattern of ['alpha/*', 'alpha-*']) {
      await store.roles.grant(role.id, { resourceType, match: 'name', pattern, level, source: 'manual' })
    }
  }
  await store.roles.assign(userId, role.id)
}

/**
 * Signs somebody into a browser.
 *
 * @param tokenTtl Seconds until the cookies have to be renewed.
 * @returns A `Cookie` header's value.
 */
export async function seedSession(
  { store, config, now }: Seeding,
  userId: string,
  sessionTokens: ReturnType<typeof createSessionTokens>,
  tokenTtl = 300,
): Promise<string> {
  const sessions = createBrowserSessions({ store, secret: config.gatewaySecret, now, idleTtl: DAY })
  const sessionId = `session-of-${userId}`
  const sid = sessionStoreId(sessionId)
  const [groupsReadAt, expiresAt] = [now(), now() + DAY]
  const known = { userId, provider: 'oidc', subject: 'subject', groupsReadAt }
  await sessions.write(sid, { ...known, absoluteExpiresAt: expiresAt })
  const names = cookieSettings(config.publicUrl)
  const token = await sessionTokens.issue({ userId, sid, expiresAt: now() + tokenTtl })
  return `${names.session}=${createSessionCookies(config.gatewaySecret).sign(sessionId)}; ${names.token}=${token}`
}

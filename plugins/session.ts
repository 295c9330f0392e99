import fastifySession from '@fastify/session'
import type { FastifyRequest, Session } from 'fastify'
import fp from 'fastify-plugin'
import { GatewayError } from '../src/errors.ts'
import type { BrowserSession } from '../src/identity/browser-session.ts'
import type { Identity } from '../src/identity/identity.ts'
import { sessionStoreId } from '../src/store/sessions.ts'

declare module 'fastify' {
  interface Session {
    /** Absent until a sign-in completes: nothing is stored for strangers. */
    browser?: BrowserSession
  }
}

/**
 * @fastify/session over the store. Register it only in the scope that begins and ends sessions: everywhere else the
 * session token speaks for the session. A cookie that we did not sign never reaches the store.
 */
export const session = fp<{ readonly identity: Identity }>(
  async (app, { identity }) => {
    await app.register(fastifySession, {
      secret: identity.sessionCookies,
      cookieName: identity.cookies.session,
      // What is really sent is decided in beginSession. `secure: false`: it would compare with the connection, which
      // is plain http wherever something in front of us ends TLS.
      cookie: { secure: false, path: '/' },
      saveUninitialized: false,
      rolling: false,
      store: createSessionStore(identity),
    })
  },
  { name: 'session', dependencies: ['@fastify/cookie'], fastify: '5.x' },
)

/**
 * Begins a session under a new id; the one this browser had, planted or real, is dead at once.
 *
 * @returns The store's id of the session.
 * @throws {GatewayError} `ERR_STORE_UNAVAILABLE`
 */
export async function beginSession(
  request: FastifyRequest,
  browser: BrowserSession,
  { cookies, now }: { readonly cookies: Identity['cookies']; readonly now: () => number },
): Promise<string> {
  await request.session.regenerate()
  // Else the library would drop the old cookie first, in a second Set-Cookie of the same name (RFC 6265 §4.1.1).
  delete request.cookies[cookies.session]
  const attributes = { ...cookies.attributes, maxAge: Math.max(0, browser.absoluteExpiresAt - now()) }
  const sent = { originalMaxAge: null, toJSON: () => attributes }
  request.session.cookie = sent
  request.session.browser = browser
  await request.session.save()
  return sessionStoreId(request.session.sessionId)
}

/**
 * Ends the session this browser has, if any, also one it has only the session token of.
 *
 * @returns What it was.
 */
export async function endSession(
  request: FastifyRequest,
  { cookies, sessionTokens, sessions, endSession: end }: Identity,
): Promise<BrowserSession | undefined> {
  const { browser } = request.session
  if (browser !== undefined) {
    await request.session.destroy()
    return browser
  }
  const token = request.cookies[cookies.token]
  const claims = token === undefined ? undefined : await sessionTokens.verify(token).catch(() => undefined)
  if (claims === undefined) return undefined
  const found = await sessions.read(claims.sid)
  await end(claims.sid)
  return found
}

/** The rows hold only what is ours; expiry is the store's, not a date in the session that a reader could overlook. */
function createSessionStore(identity: Identity): fastifySession.SessionStore {
  return {
    get(sessionId, callback) {
      identity.sessions.read(sessionStoreId(sessionId)).then(
        (browser) => callback(null, browser === undefined ? null : toSession(browser)),
        (fault) => callback(fault),
      )
    },
    set(sessionId, { browser }, callback) {
      if (browser === undefined) {
        callback()
        return
      }
      identity.sessions.write(sessionStoreId(sessionId), browser).then(
        (saved) =>
          callback(saved ? undefined : new GatewayError('ERR_SIGN_IN_FAILED', 'The session has ended')),
        (fault) => callback(fault),
      )
    },
    destroy(sessionId, callback) {
      identity.endSession(sessionStoreId(sessionId)).then(
        () => callback(),
        (fault) => callback(fault),
      )
    },
  }
}

/** Without a cookie of its own the session takes the options' one, which is what it needs. */
function toSession(browser: BrowserSession): Session {
  return { browser, cookie: { originalMaxAge: null } }
}

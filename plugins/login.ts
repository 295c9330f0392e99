import cookie from '@fastify/cookie'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { ownPath } from '../src/console/assets.ts'
import { GatewayError, isGatewayError } from '../src/errors.ts'
import type { Identity } from '../src/identity/identity.ts'
import { type LoginTransaction, TRANSACTION_TTL } from '../src/identity/login-transaction.ts'
import type { SignIn } from '../src/identity/provider.ts'
import { tokenExpiry } from '../src/identity/renewal.ts'
import { absoluteUrl, safeReturnPath } from '../src/identity/return-path.ts'
import { SIGN_IN_SCRIPT, signInPage } from '../src/identity/sign-in-page.ts'
import type { Limits } from '../src/limits/limits.ts'
import type { Directory } from '../src/policy/directory.ts'
import { eventOf } from './audit.ts'
import { backchannelLogout } from './backchannel-logout.ts'
import { logout } from './logout.ts'
import { beginSession, session } from './session.ts'

export type LoginOptions = {
  readonly identity: Identity
  readonly directory: Pick<Directory, 'resolve'>
  readonly publicUrl: URL
  readonly limits: Pick<Limits, 'assertSignIn' | 'assertMayVerify' | 'noteRefused'>
  /** Seconds. */
  readonly sessionTokenTtl: number
  /** Seconds since the epoch. */
  readonly now: () => number
}

/** Signing in and out in the browser. Every URL it sends is made of the public URL, never of what a proxy claims. */
export const login = fp<LoginOptions>(
  async (app, options) => {
    await app.register(cookie)
    app.addHook('onRequest', async (_request, reply) => {
      reply.header('cache-control', 'no-store')
    })
    app.get('/auth/login', (request, reply) => beginSignIn(request, reply, options))
    app.get('/auth/assets/sign-in.js', async (_request, reply) =>
      reply.header('cache-control', 'no-cache').type('text/javascript; charset=utf-8').send(SIGN_IN_SCRIPT),
    )
    await app.register(backchannelLogout, options)
    await app.register(async (scope) => {
      await scope.register(session, options)
      await scope.register(logout, options)
      scope.get<{ Params: { provider: string } }>('/auth/callback/:provider', async (request, reply) => {
        await options.limits.assertSignIn(request.clientAddress)
        const transaction = await takeTransaction(request.params.provider, request, reply, options)
        if (transaction !== undefined) return finishSignIn(transaction, request, reply, options)
        // The page was loaded again after it had done its work.
        if (request.session.browser === undefined) throw notBegunHere(options.publicUrl)
        return reply.redirect(absoluteUrl(options.publicUrl, ownPath(options.publicUrl, '/')))
      })
    })
  },
  { name: 'login', dependencies: ['audit', 'errors', 'identify'], fastify: '5.x', encapsulate: true },
)

/** The choice of providers, or with `?provider=` the way there. `next` is what other software calls `return_to`. */
async function beginSignIn(
  request: FastifyRequest,
  reply: FastifyReply,
  { identity, publicUrl, limits }: LoginOptions,
): Promise<FastifyReply> {
  const returnTo = safeReturnPath(single(request, 'return_to') ?? single(request, 'next'), publicUrl)
  const askAgain = single(request, 'prompt') === 'login'
  const id = single(request, 'provider')
  if (id === undefined) {
    const providers = [...identity.providers.values()].filter(({ offersSignIn }) => offersSignIn)
    return reply
      .type('text/html; charset=utf-8')
      .send(signInPage({ publicUrl, providers, returnTo, askAgain }))
  }
  const provider = identity.providers.get(id)
  if (provider?.offersSignIn !== true)
    throw new GatewayError('ERR_INVALID_PARAMETER', 'There is no such provider here')
  await limits.assertSignIn(request.clientAddress)
  const transaction = identity.transactions.begin(id, returnTo)
  const redirectUri = callbackUrl(publicUrl, id)
  const url = await provider.authorizationUrl({ ...transaction, redirectUri, askAgain })
  await keepTransaction(transaction, request, reply, identity)
  return reply.redirect(url.href)
}

async function keepTransaction(
  transaction: LoginTransaction,
  request: FastifyRequest,
  reply: FastifyReply,
  { cookies, transactions }: Identity,
): Promise<void> {
  const { name, value } = await transactions.seal(transaction)
  for (const surplus of transactions.surplus(request.cookies, name.length + value.length)) {
    reply.clearCookie(surplus, cookies.attributes)
  }
  reply.setCookie(name, value, { ...cookies.attributes, maxAge: TRANSACTION_TTL })
}

/** Finds the sign-in this callback ends, and drops its cookie: whatever comes of it, its code is spent. */
async function takeTransaction(
  provider: string,
  request: FastifyRequest,
  reply: FastifyReply,
  { identity }: LoginOptions,
): Promise<LoginTransaction | undefined> {
  const state = single(request, 'state')
  if (state === undefined || !identity.providers.has(provider)) return undefined
  const transaction = await identity.transactions.open(request.cookies, { provider, state })
  if (transaction === undefined) return undefined
  reply.clearCookie(identity.transactions.cookieName(state), identity.cookies.attributes)
  return transaction
}

async function finishSignIn(
  transaction: LoginTransaction,
  request: FastifyRequest,
  reply: FastifyReply,
  options: LoginOptions,
): Promise<FastifyReply> {
  const { publicUrl, identity } = options
  try {
    const redirectUri = callbackUrl(publicUrl, transaction.provider)
    const signIn = await identity.providers
      .get(transaction.provider)
      ?.finish(new URL(request.raw.url ?? '', publicUrl).searchParams, { ...transaction, redirectUri })
    if (signIn === undefined) throw notBegunHere(publicUrl)
    await admit(signIn, request, reply, options)
  } catch (fault) {
    recordFailure(fault, transaction, request, reply)
    throw fault
  }
  return reply.redirect(absoluteUrl(publicUrl, transaction.returnTo))
}

/** Begins the session of somebody who has proved who they are. */
async function admit(
  signIn: SignIn,
  request: FastifyRequest,
  reply: FastifyReply,
  { identity, directory, sessionTokenTtl, now }: LoginOptions,
): Promise<void> {
  const { person, session: browser } = await identity.recordSignIn(signIn)
  const sid = await beginSession(request, browser, { cookies: identity.cookies, now })
  await identity.assertNotSignedOut(signIn).catch(async (fault) => {
    await request.session.destroy()
    throw fault
  })
  const expiresAt = tokenExpiry(browser, now(), sessionTokenTtl)
  const token = await identity.sessionTokens.issue({ userId: person.id, sid, expiresAt })
  reply.setCookie(identity.cookies.token, token, {
    ...identity.cookies.attributes,
    maxAge: expiresAt - now(),
  })
  const member = await directory.resolve(person.id)
  const credential = { kind: 'session', form: 'cookie', id: sid, scope: [], expiresAt } as const
  const event = { event: 'sign_in', effect: 'allow', status: 302, credential } as const
  request.server.audit.record(eventOf(request, reply, { ...event, principal: member?.principal }))
}

/** The provider's own words go to the log, the reason to the audit; the person gets a page that says neither. */
function recordFailure(
  fault: unknown,
  { provider }: LoginTransaction,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const known = isGatewayError(fault)
    ? fault
    : new GatewayError('ERR_INTERNAL', 'unforeseen', { cause: fault })
  const { code, reason, refusal, cause } = known
  request.log.warn({ provider, code, reason, err: cause }, 'sign-in failed')
  const effect = refusal.status >= 500 ? 'error' : 'deny'
  const event = { event: 'sign_in', effect, status: refusal.status, reason: reason ?? code } as const
  request.server.audit.record({ ...eventOf(request, reply, event), provider })
}

/** The redirect URI to register at the provider. */
function callbackUrl(publicUrl: URL, provider: string): string {
  return absoluteUrl(publicUrl, ownPath(publicUrl, `/auth/callback/${provider}`))
}

function notBegunHere(publicUrl: URL): GatewayError {
  return new GatewayError(
    'ERR_SIGN_IN_FAILED',
    `This sign-in was not begun in this browser at ${publicUrl.origin}, or it took longer than ten minutes. ` +
      `If you opened the server under another name, such as 127.0.0.1 for localhost, go to ${publicUrl.href} instead`,
    { reason: 'no_transaction' },
  )
}

/** @throws {GatewayError} `ERR_AMBIGUOUS_REQUEST` if the parameter repeats. */
function single(request: FastifyRequest, name: string): string | undefined {
  const value = (request.query as Record<string, string | string[] | undefined>)[name]
  if (Array.isArray(value)) throw new GatewayError('ERR_AMBIGUOUS_REQUEST', `${name} is given more than once`)
  return value
}

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { ownPath } from '../src/console/assets.ts'
import { isGatewayError } from '../src/errors.ts'
import type { BrowserSession } from '../src/identity/browser-session.ts'
import type { Identity } from '../src/identity/identity.ts'
import type { Principal } from '../src/identity/principal.ts'
import { absoluteUrl } from '../src/identity/return-path.ts'
import { signedOutPage, signOutPage } from '../src/identity/sign-in-page.ts'
import type { Directory } from '../src/policy/directory.ts'
import { eventOf } from './audit.ts'
import { assertSameOrigin } from './origin.ts'
import { endSession } from './session.ts'

export type LogoutOptions = {
  readonly identity: Identity
  readonly directory: Pick<Directory, 'resolve'>
  readonly publicUrl: URL
}

/** Signing out: here, and at the provider where it announces how (OpenID Connect RP-Initiated Logout 1.0). */
export const logout = fp<LogoutOptions>(
  async (app, { identity, directory, publicUrl }) => {
    acceptForms(app)
    app.get('/auth/logout', async (request, reply) => {
      const principal = await whoIs(request, reply)
      return sendPage(reply, signOutPage(publicUrl, principal?.username))
    })
    app.get('/auth/signed-out', async (_request, reply) => sendPage(reply, signedOutPage(publicUrl)))
    app.post('/auth/logout', async (request, reply) => {
      assertSameOrigin(request, { form: 'cookie' }, publicUrl)
      const ended = await endSession(request, identity)
      for (const name of [identity.cookies.session, identity.cookies.token]) {
        reply.clearCookie(name, identity.cookies.attributes)
      }
      if (ended !== undefined) await record(ended, request, reply, directory)
      // What pages showed must not come back with the back button.
      reply.header('clear-site-data', '"cache"')
      return reply.redirect(await whereTo(ended, identity, publicUrl), 303)
    })
  },
  { name: 'logout', dependencies: ['session'], fastify: '5.x' },
)

async function whereTo(
  ended: BrowserSession | undefined,
  identity: Identity,
  publicUrl: URL,
): Promise<string> {
  const signedOut = absoluteUrl(publicUrl, ownPath(publicUrl, '/auth/signed-out'))
  const provider = ended && identity.providers.get(ended.provider)
  const url = await provider?.endSessionUrl(ended?.idToken, signedOut)
  return url?.href ?? signedOut
}

async function record(
  { userId }: BrowserSession,
  request: FastifyRequest,
  reply: FastifyReply,
  directory: LogoutOptions['directory'],
): Promise<void> {
  const principal = (await directory.resolve(userId))?.principal
  const event = { event: 'sign_out', effect: 'allow', status: 303, principal } as const
  request.server.audit.record(eventOf(request, reply, event))
}

async function whoIs(request: FastifyRequest, reply: FastifyReply): Promise<Principal | undefined> {
  try {
    return (await request.server.identify(request, reply)).principal
  } catch (fault) {
    // Whom the gateway has no business with at the moment may sign out all the same.
    if (isGatewayError(fault) && (fault.refusal.status === 401 || fault.code === 'ERR_LOCKED_DOWN'))
      return undefined
    throw fault
  }
}

function sendPage(reply: FastifyReply, markup: string): FastifyReply {
  return reply.type('text/html; charset=utf-8').send(markup)
}

/** The form has no fields that are read; what comes is looked at by nobody. */
function acceptForms(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  const options = { parseAs: 'buffer', bodyLimit: 1024 } as const
  app.addContentTypeParser('application/x-www-form-urlencoded', options, (_request, _body, done) =>
    done(null),
  )
}

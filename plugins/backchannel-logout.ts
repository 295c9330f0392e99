import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { readOwnForm } from '../src/console/own-body.ts'
import { GatewayError, isGatewayError } from '../src/errors.ts'
import type { Identity } from '../src/identity/identity.ts'
import type { EndedSessions } from '../src/identity/provider-logout.ts'
import type { Limits } from '../src/limits/limits.ts'
import type { Directory } from '../src/policy/directory.ts'
import { eventOf } from './audit.ts'
import { toGatewayError } from './errors.ts'

export type BackchannelLogoutOptions = {
  readonly identity: Pick<Identity, 'endByProvider' | 'providers'>
  readonly directory: Pick<Directory, 'resolve'>
  readonly limits: Pick<Limits, 'assertMayVerify' | 'noteRefused'>
}

/** Bytes. A token with ids and claims of the longest fits many times. */
const BODY_LIMIT = 16_384

type ToProvider = { Params: { provider: string } }

/**
 * `POST /auth/backchannel-logout/{provider}`: a provider tells that it has ended sessions (OpenID Connect Back-Channel
 * Logout 1.0). No cookie counts here; the signature is all there is. What is refused is counted like other refused
 * credentials, what is good is not: however many an administrator signs out there, all of it holds here.
 */
export const backchannelLogout = fp<BackchannelLogoutOptions>(
  async (app, options) => {
    app.removeAllContentTypeParsers()
    const asBytes = { parseAs: 'buffer', bodyLimit: BODY_LIMIT } as const
    app.addContentTypeParser('application/x-www-form-urlencoded', asBytes, (_request, body, done) =>
      done(null, body),
    )
    app.setErrorHandler((fault, request, reply) => refuse(toGatewayError(fault), request, reply))
    app.post<ToProvider>('/auth/backchannel-logout/:provider', async (request, reply) => {
      await options.limits.assertMayVerify(request.clientAddress)
      const ended = await endSessions(request, options).catch(async (fault) => {
        if (isGatewayError(fault) && fault.effect === 'deny')
          await options.limits.noteRefused(request.clientAddress)
        throw fault
      })
      await record(ended, request, reply, options)
      return reply.code(200).send()
    })
  },
  { name: 'backchannel-logout', dependencies: ['audit', 'errors'], fastify: '5.x', encapsulate: true },
)

async function endSessions(
  request: FastifyRequest<ToProvider>,
  { identity }: BackchannelLogoutOptions,
): Promise<EndedSessions> {
  const token = readOwnForm(request.headers['content-type'], request.body).get('logout_token')
  if (token === null || token === undefined || token === '')
    throw new GatewayError('ERR_INVALID_PARAMETER', 'logout_token is missing')
  return identity.endByProvider(request.params.provider, token)
}

/** §2.8: 400 for whatever went wrong, in OAuth's form. What was wrong with a token is in the record only. */
function refuse(fault: GatewayError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { code, reason = code, effect, cause } = fault
  const isLimit = code === 'ERR_TOO_MANY_REQUESTS'
  const status = isLimit ? 429 : 400
  request.log.warn({ code, reason, err: cause }, 'a logout token was refused')
  request.server.audit.record(eventOf(request, reply, { event: 'session_ended', effect, status, reason }))
  if (isLimit) reply.header('retry-after', String(fault.retryAfter ?? 1))
  return reply.code(status).send({
    error: 'invalid_request',
    error_description:
      effect === 'error'
        ? 'The sessions could not be ended; try again'
        : 'The logout token is not valid here',
  })
}

async function record(
  { sids, userId }: EndedSessions,
  request: FastifyRequest<ToProvider>,
  reply: FastifyReply,
  { directory }: BackchannelLogoutOptions,
): Promise<void> {
  const principal = userId === undefined ? undefined : (await directory.resolve(userId))?.principal
  const resources = sids.map((id) => ({ type: 'session', id }))
  const event = { event: 'session_ended', effect: 'allow', status: 200, resources, principal } as const
  request.server.audit.record({
    ...eventOf(request, reply, event),
    provider: request.params.provider,
  })
}

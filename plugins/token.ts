import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { ownPath } from '../src/console/assets.ts'
import type { FormTokens } from '../src/console/form-token.ts'
import { pageHeaders } from '../src/console/headers.ts'
import { OWN_BODY_LIMIT, readOwnForm, readOwnJson } from '../src/console/own-body.ts'
import { createOwnTokens, type OwnTokens, type OwnTokensOptions } from '../src/console/own-tokens.ts'
import { type TokenPageOptions, tokenPage } from '../src/console/token-page.ts'
import { readTokenForm, readTokenRequest, type TokenRequest } from '../src/console/token-request.ts'
import { GatewayError, isGatewayError } from '../src/errors.ts'
import type { Caller } from '../src/identity/caller.ts'
import { assertMayChange } from '../src/policy/lockdown.ts'
import type { TokenRecord } from '../src/store/tokens.ts'
import { eventOf } from './audit.ts'
import { assertSameOrigin } from './origin.ts'

export type TokenOptions = OwnTokensOptions & {
  readonly publicUrl: URL
  readonly formTokens: FormTokens
  /** Seconds. */
  readonly maxTtl: number
}

type Parts = Pick<TokenOptions, 'publicUrl' | 'formTokens' | 'maxTtl'> & { readonly tokens: OwnTokens }

type WithId = { Params: { id: string } }

/**
 * A person's access tokens, as a page and as JSON. Only a browser session makes one: a token that leaked must not be
 * able to make itself a successor.
 */
export const token = fp<TokenOptions>(
  async (app, options) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: OWN_BODY_LIMIT }, (_request, body, done) =>
      done(null, body),
    )
    const parts = { ...options, tokens: createOwnTokens(options) }
    addPages(app, parts)
    addApi(app, parts)
  },
  {
    name: 'token',
    dependencies: ['audit', 'errors', 'identify', 'security'],
    fastify: '5.x',
    encapsulate: true,
  },
)

function addPages(app: FastifyInstance, options: Parts): void {
  const { publicUrl, tokens } = options
  const show = async (
    caller: Caller,
    reply: FastifyReply,
    extra: Pick<TokenPageOptions, 'created' | 'fault'> = {},
  ) =>
    reply.headers(pageHeaders(publicUrl)).send(
      tokenPage({
        publicUrl,
        principal: caller.principal,
        tokens: await tokens.list(caller.principal.userId),
        maxTtl: options.maxTtl,
        formToken: options.formTokens.issue(caller.credential.id),
        ...extra,
      }),
    )

  app.get('/auth/tokens', async (request, reply) => {
    const caller = await app.identify(request, reply)
    assertSession(caller)
    return show(caller, reply)
  })

  app.post('/auth/tokens', async (request, reply) => {
    const { caller, fields } = await readForm(app, request, reply, options)
    try {
      const wanted = readTokenForm(fields, options.maxTtl)
      const made = await create(tokens, { request, reply, caller, wanted })
      return show(caller, reply.code(201), { created: { ...made, name: wanted.name } })
    } catch (fault) {
      if (!isGatewayError(fault, 'ERR_INVALID_PARAMETER')) throw fault
      return show(caller, reply.code(400), {
        fault: { message: fault.message, name: fields.get('name') ?? '' },
      })
    }
  })

  app.post<WithId>('/auth/tokens/:id/revoke', async (request, reply) => {
    const { caller } = await readForm(app, request, reply, options)
    await revoke(tokens, { request, reply, caller }, request.params.id)
    return reply.redirect(ownPath(publicUrl, '/auth/tokens'), 303)
  })
}

function addApi(app: FastifyInstance, options: Parts): void {
  const { publicUrl, tokens } = options
  app.get('/auth/api/v1/tokens', async (request, reply) => {
    const caller = await app.identify(request, reply)
    reply.header('cache-control', 'no-store')
    return { tokens: (await tokens.list(caller.principal.userId)).map(toWire) }
  })

  app.post('/auth/api/v1/tokens', async (request, reply) => {
    const caller = await app.identify(request, reply)
    assertSameOrigin(request, caller.credential, publicUrl)
    assertSession(caller)
    const wanted = readTokenRequest(
      readOwnJson(request.headers['content-type'], request.body),
      options.maxTtl,
    )
    const { token, jti, expiresAt } = await create(tokens, { request, reply, caller, wanted })
    reply.code(201).header('cache-control', 'no-store')
    return { token, id: jti, name: wanted.name, scope: wanted.scope.join(' '), expires_at: expiresAt }
  })

  app.delete<WithId>('/auth/api/v1/tokens/:id', async (request, reply) => {
    const caller = await app.identify(request, reply)
    assertSameOrigin(request, caller.credential, publicUrl)
    // A token may end itself, so that a job can clean up after itself; but no other.
    if (caller.credential.id !== request.params.id) assertSession(caller)
    await revoke(tokens, { request, reply, caller }, request.params.id)
    return reply.code(204).header('cache-control', 'no-store').send()
  })
}

/** A form of ours, sent by our own page in the session it was made for. */
async function readForm(app: FastifyInstance, request: FastifyRequest, reply: FastifyReply, options: Parts) {
  const caller = await app.identify(request, reply)
  assertSameOrigin(request, caller.credential, options.publicUrl)
  assertSession(caller)
  const fields = readOwnForm(request.headers['content-type'], request.body)
  if (!options.formTokens.check(caller.credential.id, fields.get('form_token'))) {
    throw new GatewayError(
      'ERR_CROSS_ORIGIN',
      'This form was not made for your session; open the page again',
      {
        reason: 'form_token',
      },
    )
  }
  return { caller, fields }
}

function assertSession({ credential }: Caller): void {
  if (credential.kind === 'session' && credential.form === 'cookie') return
  throw new GatewayError(
    'ERR_PERMISSION_DENIED',
    'Access tokens are managed in the browser, signed in; not with a token',
    {
      reason: 'session_needed',
    },
  )
}

type Step = {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly caller: Caller
}

async function create(
  tokens: OwnTokens,
  { request, reply, caller, wanted }: Step & { readonly wanted: TokenRequest },
) {
  assertMayChange(request.server.lockdown(), caller, 'making a token')
  const made = await tokens.create(caller.principal.userId, wanted)
  record({ request, reply, caller }, 'token_created', { id: made.jti, name: wanted.name })
  return made
}

async function revoke(tokens: OwnTokens, { request, reply, caller }: Step, jti: string): Promise<void> {
  const { name } = await tokens.revoke(caller.principal.userId, jti)
  record({ request, reply, caller }, 'token_revoked', { id: jti, name })
}

function record(
  { request, reply, caller: { principal, credential } }: Step,
  event: 'token_created' | 'token_revoked',
  token: { readonly id: string; readonly name: string },
): void {
  const resources = [{ type: 'access_token', ...token }]
  const status = event === 'token_created' ? 201 : 200
  request.server.audit.record(
    eventOf(request, reply, { event, effect: 'allow', status, resources, principal, credential }),
  )
}

/** Times in seconds since the epoch, as in the token itself. */
function toWire({ jti, name, scope, createdAt, expiresAt, lastUsedAt }: TokenRecord) {
  return {
    id: jti,
    name,
    scope: scope.join(' '),
    created_at: createdAt,
    expires_at: expiresAt,
    last_used_at: lastUsedAt ?? null,
  }
}

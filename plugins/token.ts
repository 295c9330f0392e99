import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { ownPath } from '../src/console/assets.ts'
import type { FormTokens } from '../src/console/form-token.ts'
import { pageHeaders } from '../src/console/headers.ts'
import { OWN_BODY_LIMIT, readOwnForm, readOwnJson } from '../src/console/own-body.ts'
import { type TokenPageOptions, tokenPage } from '../src/console/token-page.ts'
import { readTokenForm, readTokenRequest, type TokenRequest } from '../src/console/token-request.ts'
import { GatewayError, isGatewayError } from '../src/errors.ts'
import type { AccessTokens } from '../src/identity/access-token.ts'
import type { Caller } from '../src/identity/caller.ts'
import type { TokenRecord, Tokens } from '../src/store/tokens.ts'
import { eventOf } from './audit.ts'
import { assertSameOrigin } from './origin.ts'

export type TokenOptions = {
  readonly publicUrl: URL
  readonly tokens: Pick<Tokens, 'get' | 'list' | 'revoke'>
  readonly accessTokens: Pick<AccessTokens, 'create'>
  readonly formTokens: FormTokens
  /** Has this process see what was just changed, so that a revoked token is refused from the next request on. */
  readonly refresh: () => Promise<void>
  /** Seconds. */
  readonly maxTtl: number
  readonly now: () => number
}

/** Tokens one person may have that work at the same time: a script that makes one per run must not fill the store. */
const TOKENS_PER_PERSON = 100

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
    addPages(app, options)
    addApi(app, options)
  },
  {
    name: 'token',
    dependencies: ['audit', 'errors', 'identify', 'security'],
    fastify: '5.x',
    encapsulate: true,
  },
)

function addPages(app: FastifyInstance, options: TokenOptions): void {
  const { publicUrl } = options
  const show = async (
    caller: Caller,
    reply: FastifyReply,
    extra: Pick<TokenPageOptions, 'created' | 'fault'> = {},
  ) =>
    reply.headers(pageHeaders(publicUrl)).send(
      tokenPage({
        publicUrl,
        principal: caller.principal,
        tokens: await workingTokens(caller, options),
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
      const made = await create(app, { request, reply, caller, wanted, options })
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
    await revoke(app, { request, reply, caller, jti: request.params.id, options })
    return reply.redirect(ownPath(publicUrl, '/auth/tokens'), 303)
  })
}

function addApi(app: FastifyInstance, options: TokenOptions): void {
  const { publicUrl } = options
  app.get('/auth/api/v1/tokens', async (request, reply) => {
    const caller = await app.identify(request, reply)
    reply.header('cache-control', 'no-store')
    return { tokens: (await workingTokens(caller, options)).map(toWire) }
  })

  app.post('/auth/api/v1/tokens', async (request, reply) => {
    const caller = await app.identify(request, reply)
    assertSameOrigin(request, caller.credential, publicUrl)
    assertSession(caller)
    const wanted = readTokenRequest(
      readOwnJson(request.headers['content-type'], request.body),
      options.maxTtl,
    )
    const { token, jti, expiresAt } = await create(app, { request, reply, caller, wanted, options })
    reply.code(201).header('cache-control', 'no-store')
    return { token, id: jti, name: wanted.name, scope: wanted.scope.join(' '), expires_at: expiresAt }
  })

  app.delete<WithId>('/auth/api/v1/tokens/:id', async (request, reply) => {
    const caller = await app.identify(request, reply)
    assertSameOrigin(request, caller.credential, publicUrl)
    // A token may end itself, so that a job can clean up after itself; but no other.
    if (caller.credential.id !== request.params.id) assertSession(caller)
    await revoke(app, { request, reply, caller, jti: request.params.id, options })
    return reply.code(204).header('cache-control', 'no-store').send()
  })
}

/** A form of ours, sent by our own page in the session it was made for. */
async function readForm(
  app: FastifyInstance,
  request: FastifyRequest,
  reply: FastifyReply,
  options: TokenOptions,
) {
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

async function workingTokens(
  { principal }: Caller,
  { tokens, now }: TokenOptions,
): Promise<readonly TokenRecord[]> {
  const all = await tokens.list(principal.userId)
  return all.filter((token) => token.revokedAt === undefined && token.expiresAt > now())
}

type Step = {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly caller: Caller
  readonly options: TokenOptions
}

async function create(app: FastifyInstance, step: Step & { readonly wanted: TokenRequest }) {
  const { request, reply, caller, wanted, options } = step
  if ((await workingTokens(caller, options)).length >= TOKENS_PER_PERSON) {
    throw new GatewayError(
      'ERR_INVALID_PARAMETER',
      `You have ${TOKENS_PER_PERSON} tokens that work; revoke one first`,
    )
  }
  const made = await options.accessTokens.create({ userId: caller.principal.userId, ...wanted })
  await options.refresh()
  const resources = [{ type: 'access_token', id: made.jti, name: wanted.name }]
  app.audit.record(
    eventOf(request, reply, {
      event: 'token_created',
      effect: 'allow',
      status: 201,
      resources,
      principal: caller.principal,
      credential: caller.credential,
    }),
  )
  return made
}

async function revoke(app: FastifyInstance, step: Step & { readonly jti: string }): Promise<void> {
  const { request, reply, caller, jti, options } = step
  const found = await options.tokens.get(jti)
  if (found?.userId !== caller.principal.userId || !(await options.tokens.revoke(jti))) {
    throw new GatewayError('ERR_NOT_FOUND', 'You have no such token')
  }
  await options.refresh()
  const resources = [{ type: 'access_token', id: jti, name: found.name }]
  app.audit.record(
    eventOf(request, reply, {
      event: 'token_revoked',
      effect: 'allow',
      status: 200,
      resources,
      principal: caller.principal,
      credential: caller.credential,
    }),
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

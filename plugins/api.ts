import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import {
  type AdminAnswer,
  type AdminParts,
  type AdminRequest,
  type Endpoint,
  isHarmless,
} from '../src/admin/endpoint.ts'
import { assertMayAsk } from '../src/admin/place.ts'
import { OWN_BODY_LIMIT, readOwnJson } from '../src/console/own-body.ts'
import { GatewayError } from '../src/errors.ts'
import type { Caller } from '../src/identity/caller.ts'
import { assertMayChange } from '../src/policy/lockdown.ts'
import { eventOf } from './audit.ts'
import { assertSameOrigin } from './origin.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks, once identified. Set on routes of the JSON API. */
    adminCaller: Caller | undefined
  }
}

export type ApiOptions = {
  readonly endpoints: readonly Endpoint[]
  readonly parts: AdminParts
  readonly publicUrl: URL
  /** Resolves once what was just changed holds here. */
  readonly refresh: () => Promise<void>
}

export const API_ROOT = '/auth/api/v1'

/** The JSON API for administration and one's own rights, and the OpenAPI document that is generated from it. */
export const api = fp<ApiOptions>(
  async (app, options) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: OWN_BODY_LIMIT }, (request, body, done) => {
      try {
        done(null, readOwnJson(request.headers['content-type'], body))
      } catch (fault) {
        done(fault as Error)
      }
    })
    app.setValidatorCompiler<TSchema>(({ schema, httpPart = '' }) => validator(schema, httpPart))
    app.decorateRequest('adminCaller', undefined)
    await app.register(swagger, { openapi: documentHead(options.publicUrl) })
    for (const endpoint of options.endpoints) addRoute(app, endpoint, options)
    app.get('/auth/api/openapi.json', { schema: { hide: true } }, async (request, reply) => {
      await app.identify(request, reply)
      return app.swagger()
    })
  },
  {
    name: 'api',
    dependencies: ['audit', 'errors', 'identify', 'security'],
    fastify: '5.x',
    encapsulate: true,
  },
)

function documentHead(publicUrl: URL): NonNullable<FastifyDynamicSwaggerOptions['openapi']> {
  return {
    openapi: '3.1.0',
    info: {
      title: 'mlflow-auth-gateway',
      description:
        'Who may do what in MLflow: people, roles, grants, and why. Times are seconds since the epoch.',
      version: '1',
    },
    servers: [{ url: publicUrl.href.replace(/\/$/, '') }],
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'An access token, made under /auth/tokens.' },
      },
    },
    security: [{ bearer: [] }],
  }
}

/** Checks a part of a request; texts of a query become numbers where the schema says so, nothing is dropped or added. */
function validator(schema: TSchema, httpPart: string) {
  return (value: unknown) => {
    // Without a body it is one without fields.
    const read = httpPart === 'body' ? (value ?? {}) : Value.Convert(schema, asLists(schema, value))
    if (Value.Check(schema, read)) return { value: read }
    const [first] = Value.Errors(schema, read)
    const where = `${httpPart === 'querystring' ? 'query' : httpPart}${first?.instancePath ?? ''}`
    return {
      error: new GatewayError('ERR_INVALID_PARAMETER', `Invalid request: ${where} ${first?.message ?? ''}`),
    }
  }
}

/** A list in a query that has one entry looks like a single value. */
function asLists(schema: TSchema, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const { properties = {} } = schema as { properties?: Readonly<Record<string, { type?: string }>> }
  return Object.fromEntries(
    Object.entries(value).map(([name, given]) => [
      name,
      properties[name]?.type === 'array' && !Array.isArray(given) ? [given] : given,
    ]),
  )
}

function addRoute(app: FastifyInstance, endpoint: Endpoint, options: ApiOptions): void {
  const { name, method, path, summary, params, query, body, answer } = endpoint
  app.route({
    method,
    url: `${API_ROOT}${path}`,
    exposeHeadRoute: false,
    schema: {
      operationId: name,
      summary,
      params,
      querystring: query,
      ...(body === undefined ? {} : { body }),
      ...(answer === undefined ? {} : { response: { '2xx': answer } }),
    },
    // Before a byte of the body is read.
    onRequest: async (request, reply) => {
      const caller = await app.identify(request, reply)
      request.adminCaller = caller
      reply.header('cache-control', 'no-store')
      assertSameOrigin(request, caller.credential, options.publicUrl)
      assertMayAsk(endpoint, caller, options.parts)
      assertScope(endpoint, caller)
      if (!isHarmless(endpoint)) assertMayChange(app.lockdown(), caller, endpoint.name)
    },
    handler: (request, reply) => answerTo(request, reply, endpoint, options),
    onError: async (request, reply, fault) => recordRefusal(request, reply, endpoint, fault),
  })
}

function assertScope({ method, name }: Endpoint, { credential }: Caller): void {
  if (method !== 'GET' && credential.scope.includes('read')) {
    const message = `This token may only read; ${name} does more. Make one without the read-only mark`
    throw new GatewayError('ERR_INSUFFICIENT_SCOPE', message, { reason: 'read_only_token' })
  }
}

async function answerTo(
  request: FastifyRequest,
  reply: FastifyReply,
  endpoint: Endpoint,
  { parts, refresh }: ApiOptions,
): Promise<FastifyReply> {
  const caller = request.adminCaller
  if (caller === undefined) throw new Error('nobody was identified')
  const read = { caller, params: request.params, query: request.query, body: request.body }
  const ifMatch = request.headers['if-match']
  const answer = await endpoint.handle({ ...read, ifMatch } as AdminRequest<never, never, never>, parts)
  const status = answer.status ?? (answer.body === undefined ? 204 : 200)
  if (endpoint.event !== undefined) {
    await refresh()
    recordChange(request, reply, { endpoint, answer, status })
  }
  if (answer.etag !== undefined) reply.header('etag', answer.etag)
  return reply.code(status).send(answer.body)
}

type Changed = { readonly endpoint: Endpoint; readonly answer: AdminAnswer; readonly status: number }

function recordChange(
  request: FastifyRequest,
  reply: FastifyReply,
  { endpoint, answer, status }: Changed,
): void {
  request.server.audit.record(
    eventOf(request, reply, {
      event: endpoint.event ?? 'decision',
      operation: `admin.${endpoint.name}`,
      effect: 'allow',
      status,
      resources: answer.resources,
      workspace: answer.workspace,
      principal: request.adminCaller?.principal,
      credential: request.adminCaller?.credential,
    }),
  )
}

/** Tries that failed are on record too; so are refused reads, which tell who looks around. */
function recordRefusal(request: FastifyRequest, reply: FastifyReply, { name }: Endpoint, fault: Error): void {
  const known = fault instanceof GatewayError ? fault : undefined
  request.server.audit.record(
    eventOf(request, reply, {
      event: 'decision',
      operation: `admin.${name}`,
      effect: known?.effect ?? 'error',
      status: known?.refusal.status ?? 500,
      reason: known?.reason ?? known?.code ?? 'ERR_INTERNAL',
      principal: request.adminCaller?.principal,
      credential: request.adminCaller?.credential,
    }),
  )
}

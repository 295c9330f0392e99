import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { OWN_BODY_LIMIT } from '../src/console/own-body.ts'
import { GatewayError } from '../src/errors.ts'
import type { Caller } from '../src/identity/caller.ts'
import { announcesBody } from '../src/mlflow/body.ts'
import type { Workspaces } from '../src/mlflow/workspace.ts'
import type { AuthServices } from '../src/mlflow-auth/ask.ts'
import { readParameters } from '../src/mlflow-auth/parameters.ts'
import { AUTH_ROUTES, type AuthRoute } from '../src/mlflow-auth/routes.ts'
import { DEFAULT_WORKSPACE } from '../src/policy/grants.ts'
import { assertMayChange } from '../src/policy/lockdown.ts'
import { eventOf } from './audit.ts'
import { toGatewayError } from './errors.ts'
import { assertSameOrigin } from './origin.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks MLflow's auth API for something. */
    authCaller: Caller | undefined
    /** The workspace that it is asked in; undefined while none are kept apart. */
    authWorkspace: string | undefined
  }
}

export type MlflowAuthApiOptions = {
  readonly services: Omit<AuthServices, 'lookup'>
  /** Takes a request to the workspace that it names. */
  readonly workspaces: Pick<Workspaces, 'named' | 'enter'>
  readonly publicUrl: URL
  /** Has this process see what was just changed. */
  readonly refresh: () => Promise<void>
}

/**
 * The routes of MLflow's own auth app, answered by the gateway: its client, its Account and Admin pages and people's
 * scripts work unchanged. A bare tracking server has none of them.
 */
export const mlflowAuthApi = fp<MlflowAuthApiOptions>(
  async (app, options) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: OWN_BODY_LIMIT }, (_request, body, done) =>
      done(null, body),
    )
    app.decorateRequest('authCaller', undefined)
    app.decorateRequest('authWorkspace', undefined)
    for (const route of AUTH_ROUTES) {
      for (const url of route.urls) {
        app.route({
          ...{ url, method: route.method },
          onRequest: (request, reply) => stand(app, { request, reply, route }, options.publicUrl),
          handler: (request, reply) => answer(app, { request, reply, route }, options),
          onError: async (request, reply, fault) => record(app, { request, reply, route }, outcomeOf(fault)),
        })
      }
    }
  },
  {
    name: 'mlflow-auth-api',
    dependencies: ['audit', 'errors', 'identify'],
    fastify: '5.x',
    encapsulate: true,
  },
)

type Step = { readonly request: FastifyRequest; readonly reply: FastifyReply; readonly route: AuthRoute }

/** What can be said before a byte of the body is read. */
async function stand(app: FastifyInstance, { request, reply, route }: Step, publicUrl: URL): Promise<void> {
  const caller = await app.identify(request, reply)
  request.authCaller = caller
  assertSameOrigin(request, caller.credential, publicUrl)
  if (route.method !== 'GET') assertMayChange(app.lockdown(), caller, route.name)
  if (route.method !== 'GET' && caller.credential.scope.includes('read')) {
    const message = `This token may only read; ${route.name} does more. Make one without the read-only mark`
    throw new GatewayError('ERR_INSUFFICIENT_SCOPE', message, { reason: 'read_only_token' })
  }
  if (route.method === 'GET' && announcesBody(request.raw))
    throw new GatewayError('ERR_AMBIGUOUS_REQUEST', 'A GET has no body here; send its fields in the query')
}

async function answer(
  app: FastifyInstance,
  { request, reply, route }: Step,
  { services, workspaces, refresh }: MlflowAuthApiOptions,
): Promise<object> {
  const caller = request.authCaller
  if (caller === undefined) throw new Error('a request came this far without a caller')
  const parameters = readParameters({
    method: request.method,
    url: request.raw.url ?? '',
    contentType: request.headers['content-type'],
    body: request.body,
  })
  request.authWorkspace = workspaces.named(request.raw)
  const place = workspaces.enter(request.authWorkspace, caller)
  const ask = {
    ...{ caller: place.caller, parameters },
    workspace: place.services.workspace ?? DEFAULT_WORKSPACE,
    services: { ...services, lookup: place.services.lookup },
  }
  await route.standing(ask)
  const { answer, changed, resources, workspace } = await route.run(ask)
  const event = changed ?? 'decision'
  if (request.authWorkspace !== undefined) request.authWorkspace = workspace ?? request.authWorkspace
  record(app, { request, reply, route }, { event, effect: 'allow', status: 200, resources })
  // It is done and on record: what comes now cannot undo it.
  if (changed !== undefined) await refresh()
  reply.header('cache-control', 'no-store')
  return answer
}

type Outcome = Pick<Parameters<typeof eventOf>[2], 'event' | 'effect' | 'status' | 'reason' | 'resources'>

function outcomeOf(fault: unknown): Outcome {
  const { code, reason, refusal, effect } = toGatewayError(fault)
  return { event: 'decision', effect, status: refusal.status, reason: reason ?? code }
}

function record(app: FastifyInstance, { request, reply, route }: Step, outcome: Outcome): void {
  const { principal, credential } = request.authCaller ?? {}
  const asked = { operation: route.name, workspace: request.authWorkspace, principal, credential }
  app.audit.record(eventOf(request, reply, { ...outcome, ...asked }))
}

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { type AuditEvent, MOST_ASKED } from '../src/audit/event.ts'
import { moment } from '../src/audit/moment.ts'
import { GatewayError, isGatewayError } from '../src/errors.ts'
import type { Caller } from '../src/identity/caller.ts'
import type { Limits } from '../src/limits/limits.ts'
import { type Candidate, readTarget, type Target } from '../src/mlflow/call.ts'
import type { Exchange, Services } from '../src/mlflow/exchange.ts'
import { forward } from '../src/mlflow/forward.ts'
import { checkStanding, isNobodys, isPublic, judge, readCall } from '../src/mlflow/judge.ts'
import type { Operation } from '../src/mlflow/operation.ts'
import { routerUrl } from '../src/mlflow/path.ts'
import type { UpstreamVersion } from '../src/mlflow/upstream-version.ts'
import { isServedBy } from '../src/mlflow/version.ts'
import type { Workspaces } from '../src/mlflow/workspace.ts'
import type { Demand } from '../src/policy/decide.ts'
import { assertOpen } from '../src/policy/lockdown.ts'
import { after, type Soon } from '../src/soon.ts'
import { assertSameOrigin } from './origin.ts'

export type GatewayOptions = {
  readonly catalogue: readonly Operation[]
  readonly services: Services
  readonly workspaces: Workspaces
  readonly publicUrl: URL
  readonly limits: Pick<Limits, 'assertAddress' | 'enter' | 'leave'>
  /** Tells which known versions the tracking server is like, at once and whenever that changes. */
  readonly followVersion: UpstreamVersion['follow']
  /** Told how many milliseconds it took until a request was allowed; a refusal's are in its audit event. */
  readonly onAllowed: (ms: number) => void
}

/**
 * MLflow behind the catalogue: every row becomes routes, and every request goes the same way, in one line:
 * identify → locate → decide → forward → filter → record. What no row describes never gets here (404).
 */
export const gateway = fp<GatewayOptions>(
  async (app, options) => {
    const routes = [...routesOf(options.catalogue)]
    options.followVersion((like) => {
      for (const route of routes) {
        route.candidates = route.rows.filter(({ operation }) => isServedBy(operation.versions, like))
      }
    })
    for (const route of routes) {
      app.route({
        url: route.url,
        method: route.method === 'GET' ? ['GET', 'HEAD'] : route.method,
        exposeHeadRoute: false,
        // A hook and not the handler: before a handler runs, Fastify reads the body with a parser of its own choice.
        onRequest: (request, reply) => handle(app, options, route, request, reply),
        handler: notReached,
      })
    }
  },
  {
    name: 'gateway',
    dependencies: ['audit', 'errors', 'identify', 'unknown-routes'],
    fastify: '5.x',
    encapsulate: true,
  },
)

function notReached(): never {
  throw new Error('a request went on after it was answered')
}

type Route = {
  readonly url: string
  readonly method: string
  readonly rows: Candidate[]
  /** Those of the rows that the tracking server, at its version, serves. */
  candidates: readonly Candidate[]
}

/** One route per method and router URL; rows that the router cannot tell apart are told apart by `readTarget`. */
function routesOf(catalogue: readonly Operation[]): Iterable<Route> {
  const routes = new Map<string, Route>()
  for (const operation of catalogue) {
    for (const template of operation.paths) {
      for (const method of operation.methods) {
        const url = routerUrl(template)
        const route = routes.get(`${method} ${url}`) ?? { url, method, rows: [], candidates: [] }
        route.rows.push({ operation, template })
        routes.set(`${method} ${url}`, route)
      }
    }
  }
  return routes.values()
}

async function handle(
  app: FastifyInstance,
  options: GatewayOptions,
  route: Route,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const exchange: Exchange = {
    request: request.raw,
    response: reply.raw,
    requestId: request.id,
    remoteAddress: request.clientAddress,
    bytesOut: 0,
  }
  const { limits } = options
  let entered: string | undefined
  try {
    const target = findTarget(exchange, route.candidates) ?? (await refuseUnknown(app, route, request, reply))
    const step = { exchange, operation: target.operation, request, reply }
    const admitted = admit(app, step, options)
    // Who is known, and what is in memory, is there at once: to wait for it all the same would cost more than to find it.
    const services = admitted instanceof Promise ? await admitted : admitted
    const userId = exchange.caller?.principal.userId
    if (userId !== undefined) limits.enter(userId)
    entered = userId
    const reading = readCall(exchange, target, services)
    const call = reading instanceof Promise ? await reading : reading
    const judging = judge(exchange, call, services)
    const judged = judging instanceof Promise ? await judging : judging
    // A body may have come in slowly, begun before the lockdown.
    if (exchange.caller !== undefined) assertOpen(app.lockdown(), exchange.caller, target.operation)
    options.onAllowed(reply.elapsedTime)
    const { status, bytesOut } = await forward(exchange, judged, services)
    exchange.bytesOut = bytesOut
    reply.hijack()
    app.audit.record(eventOf(exchange, reply, { effect: 'allow', status }))
  } catch (fault) {
    app.audit.record(eventOf(exchange, reply, refused(fault)))
    throw fault
  } finally {
    if (entered !== undefined) limits.leave(entered)
  }
}

type Step = {
  readonly exchange: Exchange
  readonly operation: Operation
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

/** Who asks, and whether for something they may ask for at all: before a byte of the body is read. */
function admit(app: FastifyInstance, step: Step, options: GatewayOptions): Soon<Services> {
  const { exchange, operation, request, reply } = step
  if (!isPublic(operation)) {
    return after(app.identify(request, reply), (caller) => enter(app, step, caller, options))
  }
  options.limits.assertAddress(exchange.remoteAddress)
  const { services } = options
  // What is open to everybody leads to MLflow all the same.
  return app.lockdown()?.mode === 'closed' ? after(app.identify(request, reply), () => services) : services
}

function enter(
  app: FastifyInstance,
  { exchange, operation, request, reply }: Step,
  caller: Caller,
  { workspaces, publicUrl }: GatewayOptions,
): Services {
  exchange.caller = caller
  exchange.setCookie = cookiesOn(reply)
  assertSameOrigin(request, caller.credential, publicUrl)
  checkStanding(operation, caller, request.method)
  assertOpen(app.lockdown(), caller, operation)
  exchange.workspace = workspaces.named(request.raw)
  const place = workspaces.enter(exchange.workspace, caller)
  exchange.caller = place.caller
  return place.services
}

/** What identifying put on the reply, for an answer that is written without it. */
function cookiesOn(reply: FastifyReply): readonly string[] {
  const value = reply.getHeader('set-cookie')
  return value === undefined ? [] : [value].flat().map(String)
}

function findTarget(exchange: Exchange, candidates: readonly Candidate[]): Target | undefined {
  const target = readTarget(exchange.request.url ?? '', candidates)
  if (target === undefined) return undefined
  if (isNobodys(target.operation)) throw noSuchRoute('no_such_route')
  exchange.operation = target.operation
  exchange.path = target.template.text
  return target
}

/** @throws {GatewayError} `ERR_NO_SUCH_ROUTE`, always. */
async function refuseUnknown(
  app: FastifyInstance,
  { rows }: Route,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<never> {
  if (readTarget(request.raw.url ?? '', rows) !== undefined) throw noSuchRoute('not_in_this_version')
  await app.noteUnknownRoute(request, reply)
  throw noSuchRoute('no_such_route')
}

function noSuchRoute(reason: string): GatewayError {
  return new GatewayError('ERR_NO_SUCH_ROUTE', 'This address is not one the gateway serves', { reason })
}

type Outcome = Pick<AuditEvent, 'effect' | 'status' | 'reason'>

/** A refusal of ours is a denial; a fault of the upstream, the store or ourselves an error. */
function refused(fault: unknown): Outcome {
  if (!isGatewayError(fault)) return { effect: 'error', status: 500, reason: 'ERR_INTERNAL' }
  const { effect, refusal, reason, code } = fault
  return { effect, status: refusal.status, reason: reason ?? code }
}

/** Every resource once, however many things are asked of it. */
function touched(demands: readonly Demand[]): AuditEvent['resources'] {
  const [only] = demands
  if (only !== undefined && demands.length === 1) {
    const { type, key = '', name } = only.resource
    return [{ type, id: key, name }]
  }
  const seen = new Map<string, { type: string; id: string; name: string | undefined }>()
  for (const { resource } of demands) {
    const { type, key = '', name } = resource
    seen.set(`${type} ${key}`, { type, id: key, name })
  }
  return [...seen.values()]
}

function eventOf(exchange: Exchange, reply: FastifyReply, outcome: Outcome): AuditEvent {
  const { caller, demands, asked, request } = exchange
  return {
    at: moment(),
    requestId: exchange.requestId,
    event: 'decision',
    userId: caller?.principal.userId,
    username: caller?.principal.username,
    provider: caller?.principal.provider,
    credential: caller && {
      kind: caller.credential.kind,
      form: caller.credential.form,
      id: caller.credential.id,
    },
    operation: exchange.operation?.name,
    method: request.method ?? '',
    path: exchange.path ?? '',
    workspace: exchange.workspace,
    resources: demands && touched(demands),
    asked: asked && asked.length <= MOST_ASKED ? asked : undefined,
    ...outcome,
    bytesIn: Number(request.headers['content-length'] ?? 0),
    bytesOut: exchange.bytesOut,
    durationMs: Math.round(reply.elapsedTime * 1000) / 1000,
    remoteAddress: exchange.remoteAddress,
  }
}

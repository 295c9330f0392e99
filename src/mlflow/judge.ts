import { GatewayError } from '../errors.ts'
import { type Caller, membershipOn } from '../identity/caller.ts'
import { ALLOW, type Demand, decide, metBy } from '../policy/decide.ts'
import { after, type Soon } from '../soon.ts'
import { withAuthorTag } from './author-tag.ts'
import { announcesBody, checkLength, readWholeBody } from './body.ts'
import { type Call, checkFraming, readBody, select, type Target } from './call.ts'
import { operationNamed } from './catalogue.ts'
import { refusalFor } from './denial.ts'
import type { Exchange, Services } from './exchange.ts'
import { locate } from './locators.ts'
import type { Operation } from './operation.ts'
import { readSpans } from './otlp.ts'
import { inflated, otlpFraming } from './otlp-body.ts'
import { asSource, judgedFirst } from './rewrite.ts'
import { checkRules } from './rules.ts'
import { stamped } from './stamps.ts'

/** Open to anybody, signed in or not: such a row asks for nothing else. */
export function isPublic(operation: Operation): boolean {
  return operation.needs.every((need) => need.kind === 'public')
}

/** Served by MLflow, wanted by no client. */
export function isNobodys(operation: Operation): boolean {
  return operation.needs.some((need) => need.kind === 'nobody')
}

/** For administrators alone, called so. */
export function isAdmins({ needs }: Operation, method: string | undefined): boolean {
  return needs.some(
    (need) => need.kind === 'admin' && (need.methods?.some((each) => each === method) ?? true),
  )
}

/**
 * What a row asks of the caller, whatever the request is about: before a byte of the body is read.
 *
 * @throws {GatewayError} `ERR_INSUFFICIENT_SCOPE` or `ERR_PERMISSION_DENIED` (reason `admin_only`).
 */
export function checkStanding(
  operation: Operation,
  { principal, credential }: Caller,
  method: string | undefined,
): void {
  if (credential.scope.includes('read') && !operation.readOnly) {
    const message = `This token may only read; ${operation.name} does more. Make one without the read-only mark`
    throw new GatewayError('ERR_INSUFFICIENT_SCOPE', message, { reason: 'read_only_token' })
  }
  if (!principal.isAdmin && isAdmins(operation, method)) {
    const message = `Permission denied: ${operation.name} is for administrators here`
    throw new GatewayError('ERR_PERMISSION_DENIED', message, { reason: 'admin_only' })
  }
}

/**
 * Reads the call, once; from here on only what was read counts.
 *
 * @throws {GatewayError} See {@link checkFraming}, {@link readWholeBody} and {@link readBody}.
 */
export function readCall(exchange: Exchange, target: Target, services: Services): Soon<Call> {
  const { request } = exchange
  checkFraming(request, target.operation)
  const { operation, template, params, query } = target
  const call: Call = {
    ...{ operation, template, params, query },
    method: upstreamMethod(request.method, operation),
    headers: request.headers,
    body: undefined,
    bytes: undefined,
  }
  if (operation.body === 'stream') return call
  if (operation.body === 'otlp') return readExport(exchange, services).then((read) => ({ ...call, ...read }))
  if (!announcesBody(request)) return call
  checkLength(request, services.jsonBodyLimit)
  inviteBody(exchange)
  return readWholeBody(request, services.jsonBodyLimit).then((bytes) => ({ ...call, ...readBody(bytes) }))
}

async function readExport(
  exchange: Exchange,
  { jsonBodyLimit: limit }: Services,
): Promise<Pick<Call, 'body' | 'bytes' | 'spans'>> {
  const { type, coding } = otlpFraming(exchange.request)
  checkLength(exchange.request, limit)
  inviteBody(exchange)
  const bytes = await inflated(await readWholeBody(exchange.request, limit), coding, limit)
  return { body: undefined, bytes, spans: readSpans(type, bytes) }
}

/**
 * HEAD rides on GET: what it says of a body must be of the body that was judged. MLflow's routes for messages read the
 * query of a GET only, so that a HEAD of `artifacts?path=1/...` would tell the size of the list of everything (3.17.2);
 * they are asked with GET, and the answer's body is left out. Files are sent by routes that read the same for both.
 */
function upstreamMethod(method: string | undefined, operation: Operation): string {
  const sendsFiles = operation.untrusted || operation.cacheable
  return method === undefined || (method === 'HEAD' && !sendsFiles) ? 'GET' : method
}

/**
 * Tells a client that waits for it (RFC 9110 §10.1.1) to send the body; not before it is known to be wanted. One that
 * speaks HTTP/1.0 knows no interim answer and would take it for the answer.
 */
export function inviteBody({ request, response }: Exchange): void {
  if (request.headers.expect === undefined || request.httpVersion === '1.0') return
  if (announcesBody(request)) response.writeContinue()
}

/** Admins are not judged by name, so no name is looked up for them. */
const BY_ID = { needsName: () => false }

/**
 * Locates everything the call touches and decides.
 *
 * @returns The call as it may be forwarded: with what MLflow would leave to the client set by us.
 * @throws {GatewayError} The refusal, if it may not.
 */
export function judge(exchange: Exchange, call: Call, services: Services): Soon<Call> {
  const { caller } = exchange
  if (caller === undefined) return call
  const { isAdmin, username } = caller.principal
  const { needs, rules } = call.operation
  if (rules.length > 0) {
    checkRules(call, { isAdmin, switches: services.switches, webhookHosts: services.webhookHosts })
  }
  const hasResources = needs.some((need) => need.kind === 'resource' || need.kind === 'graphql')
  const demands = hasResources ? locate(call, locatingFor(caller, services)) : undefined
  return after(demands, (found) => {
    if (found !== undefined) settle(exchange, { call, caller, services }, found)
    const checked = rules.length > 0 ? checkNames(call, services) : undefined
    return after(checked, () => judgedFirst(services.trustAuthorship ? authored(call, username) : call))
  })
}

function locatingFor(caller: Caller, services: Services): Parameters<typeof locate>[1] {
  const { isAdmin, username, userId } = caller.principal
  return {
    lookup: services.lookup,
    access: isAdmin ? BY_ID : caller.access,
    holding: isAdmin ? undefined : caller.access,
    username,
    workspace: services.workspace,
    isMemberOf: membershipOn(services.server, caller),
    ownsJob: (jobId) => services.jobs.isOwner(userId, jobId),
    operationNamed,
  }
}

type Judging = { readonly call: Call; readonly caller: Caller; readonly services: Services }

/** Decides on what was found, and notes for the record what that was. */
function settle(exchange: Exchange, { call, caller, services }: Judging, demands: readonly Demand[]): void {
  exchange.demands = demands
  if (caller.principal.isAdmin) return
  exchange.asked = demands
  const decision = demands.length === 0 ? ALLOW : decide(demands, caller.access)
  if (decision.effect === 'deny') throw refusalFor(decision, call, caller.access, services.workspace)
  exchange.demands = metBy(demands, caller.access)
}

async function checkNames(call: Call, { isUsername }: Services): Promise<void> {
  for (const rule of call.operation.rules) {
    if (rule.kind !== 'not_a_username') continue
    for (const name of select(call, rule.selector)) {
      if (!(await isUsername(name))) continue
      const message = `A user is called ${JSON.stringify(name)}; '${rule.selector.text}' must not be what anybody is called`
      throw new GatewayError('ERR_INVALID_PARAMETER', message, { reason: 'name_of_a_user' })
    }
  }
}

function authored(call: Call, username: string): Call {
  const { stamps, sources, authorTags } = call.operation
  const signed = sources === undefined ? call : asSource(call, sources, username)
  const tagged = authorTags === undefined ? signed : withAuthorTag(signed, authorTags, username)
  return stamped(tagged, stamps, username)
}

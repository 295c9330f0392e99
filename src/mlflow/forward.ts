import type { ServerResponse } from 'node:http'
import { GatewayError, isGatewayError } from '../errors.ts'
import { type Caller, membershipOn } from '../identity/caller.ts'
import { decide } from '../policy/decide.ts'
import { type Call, upstreamTarget } from './call.ts'
import { callersTrace } from './callers-trace.ts'
import { applyEffects, createFirst } from './effects.ts'
import type { Exchange, Services } from './exchange.ts'
import { filterVersions, readGraphql } from './graphql.ts'
import { requestHeaders, responseHeaders } from './headers.ts'
import { readAnswer } from './json-answer.ts'
import { inviteBody } from './judge.ts'
import { listReadable } from './lists.ts'
import { narrow } from './narrow.ts'
import type { Operation } from './operation.ts'
import { withPath } from './published.ts'
import type { Relayed, Upstream, UpstreamRequest, UpstreamResponse } from './upstream.ts'
import { mayWithhold, withhold } from './withhold.ts'

/**
 * Sends what was judged to MLflow and what the caller may see of the answer to the caller.
 *
 * @returns What was sent to the caller.
 * @throws {GatewayError} As long as nothing was sent to the caller yet.
 */
export function forward(exchange: Exchange, judged: Call, services: Services): Promise<Relayed> {
  return judged.operation.passes ? passOn(exchange, judged, services) : carryOut(exchange, judged, services)
}

/** Both ways as it comes. */
function passOn(exchange: Exchange, call: Call, services: Services): Promise<Relayed> {
  const { operation } = call
  if (operation.body === 'stream') inviteBody(exchange)
  const headers = answerHeaders(exchange, services, operation)
  const upstream = upstreamFor(operation, exchange.caller, services)
  return upstream.pipe(upstreamRequest(exchange, call), exchange.response, headers)
}

async function carryOut(exchange: Exchange, judged: Call, services: Services): Promise<Relayed> {
  const { caller } = exchange
  const { operation } = judged
  if (operation.answer !== undefined) return sendWhole(exchange, services, json(operation.answer))
  const call = caller === undefined ? judged : await narrowed(judged, caller, services)
  if (call === undefined) return sendWhole(exchange, services, json({}))
  if (operation.joinsTrace && caller !== undefined)
    exchange.callersTrace = await callersTrace(exchange, caller, services)
  const answer = await wholeAnswer(exchange, call, services)
  if (answer !== undefined) return sendWhole(exchange, services, answer)
  return passOn(exchange, call, services)
}

function upstreamFor(operation: Operation, caller: Caller | undefined, services: Services): Upstream {
  if (caller === undefined) return services.publicUpstream
  if (operation.onArtifactServer) return services.artifactUpstream
  const { body, untrusted, patience } = operation
  const mayTakeLong = body === 'stream' || untrusted || patience !== undefined
  return mayTakeLong ? services.transferUpstream : services.upstream
}

/** The answer where it has to be read before it leaves, as the caller may see it; `undefined` where it may just pass. */
async function wholeAnswer(
  exchange: Exchange,
  call: Call,
  services: Services,
): Promise<UpstreamResponse | undefined> {
  const { caller } = exchange
  const { operation } = call
  if (operation.shell) return shell(exchange, call, services)
  if (caller === undefined) return undefined
  const { isAdmin } = caller.principal
  const answer = await readAnswerOf(exchange, call, caller, services)
  if (isAdmin || !mayWithhold(operation.withhold, caller.access)) return answer
  const whole = answer ?? (await services.upstream.send(upstreamRequest(exchange, call), exchange.response))
  return withhold(whole, operation.withhold, { access: caller.access, lookup: services.lookup })
}

async function readAnswerOf(
  exchange: Exchange,
  call: Call,
  caller: Caller,
  services: Services,
): Promise<UpstreamResponse | undefined> {
  const { list, needs, effects, filesAt } = call.operation
  if (list !== undefined) return listed(exchange, call, caller, services)
  if (needs.some((need) => need.kind === 'graphql') && !caller.principal.isAdmin) {
    return queried(exchange, call, caller, services)
  }
  if (filesAt !== undefined && !caller.principal.isAdmin) {
    const response = await services.upstream.send(upstreamRequest(exchange, call), exchange.response)
    return withPath(response, filesAt, { lookup: services.lookup, access: caller.access })
  }
  return effects.length > 0 ? settled(exchange, call, caller, services) : undefined
}

/** @returns `undefined` if of what was asked about the caller may see nothing. */
async function narrowed(call: Call, caller: Caller, { lookup }: Services): Promise<Call | undefined> {
  let result = call
  for (const need of call.operation.needs) {
    if (need.kind !== 'narrow' || caller.principal.isAdmin) continue
    const left = await narrow(result, need, { lookup, access: caller.access })
    if (left.kind === 'empty') return undefined
    result = left.call
  }
  return result
}

function listed(
  exchange: Exchange,
  call: Call,
  caller: Caller,
  services: Services,
): Promise<UpstreamResponse> {
  if (call.operation.list === undefined) throw new Error('not a list')
  const { userId, username, isAdmin } = caller.principal
  return listReadable(call, call.operation.list, {
    caller: {
      ...{ userId, username, isAdmin, access: caller.access },
      isMemberOf: membershipOn(services.server, caller),
    },
    lookup: services.lookup,
    ownJobs: () => services.jobs.startedBy(userId),
    tokens: services.pageTokens,
    send: (page) => services.upstream.send(upstreamRequest(exchange, page), exchange.response),
  })
}

/** Answers a GraphQL query without the model versions that the caller may not read. */
async function queried(
  exchange: Exchange,
  call: Call,
  { access }: Caller,
  { upstream, lookup }: Services,
): Promise<UpstreamResponse> {
  const response = await upstream.send(upstreamRequest(exchange, call), exchange.response)
  const { versionPaths } = readGraphql(call.body?.value ?? {})
  if (response.status !== 200 || versionPaths.length === 0) return response
  const { value: answer } = readAnswer(response.bytes)
  await filterVersions(answer, versionPaths, async (name) => {
    const type = await lookup.registryKind(name)
    const resource = type && ({ type, key: name, name, tier: `${type}_version` } as const)
    return resource !== undefined && decide([{ action: 'read', resource }], access).effect === 'allow'
  })
  return { ...response, bytes: Buffer.from(JSON.stringify(answer)) }
}

/** MLflow's page with scripts of ours in its head. Not conditional: the page is small, and another one than MLflow's. */
async function shell(exchange: Exchange, call: Call, services: Services): Promise<UpstreamResponse> {
  const request = { ...upstreamRequest(exchange, call), method: 'GET', headers: ['accept', 'text/html'] }
  const { status, headers, bytes } = await services.upstream.send(request)
  const { etag: _etag, 'last-modified': _modified, 'accept-ranges': _ranges, ...kept } = headers
  const scripts = services.shellScripts.map((path) => `<script src="${path}"></script>`).join('')
  const page = bytes.toString('utf8').replace('<head>', () => `<head>${scripts}`)
  return { status, headers: kept, bytes: Buffer.from(page) }
}

/** Sends a call that changes who holds what, and carries that out before the answer leaves. */
async function settled(
  exchange: Exchange,
  call: Call,
  caller: Caller,
  services: Services,
): Promise<UpstreamResponse> {
  const { lookup, effects } = services
  const { userId, username } = caller.principal
  const post = (path: string, body: object) => services.upstream.send(ownPost(path, body))
  const context = { ...effects, lookup, userId, username, post }
  try {
    const ended = await createFirst(call, exchange.demands ?? [], context)
    if (ended !== undefined) return ended
    const response = await services.upstream.send(upstreamRequest(exchange, call))
    if (response.status < 200 || response.status >= 300) return response
    return await applyEffects(call, response, context)
  } catch (cause) {
    if (isGatewayError(cause) && cause.code.startsWith('ERR_UPSTREAM')) throw cause
    const message =
      'MLflow did what was asked, but the grants that go with it could not be kept; tell an administrator'
    throw new GatewayError('ERR_STORE_UNAVAILABLE', message, { cause, reason: 'effect_failed' })
  }
}

function ownPost(path: string, body: object): UpstreamRequest {
  const headers = ['accept', 'application/json', 'content-type', 'application/json']
  return { method: 'POST', target: `/api/${path}`, headers, body: Buffer.from(JSON.stringify(body)) }
}

function upstreamRequest(exchange: Exchange, call: Call): UpstreamRequest {
  const { request, remoteAddress, callersTrace, path: template } = exchange
  const { patience, joinsTrace } = call.operation
  const own = ['x-forwarded-for', remoteAddress]
  if (callersTrace !== undefined) own.push('traceparent', callersTrace)
  const about = { patience, joinsTrace, template }
  if (call.operation.body === 'stream') {
    for (const name of ['content-type', 'content-length'] as const) {
      const value = request.headers[name]
      if (value !== undefined) own.push(name, value)
    }
    const hasBody = request.method !== 'GET' && request.method !== 'HEAD'
    return {
      method: call.method,
      target: upstreamTarget(call),
      headers: requestHeaders(request, own),
      body: hasBody ? request : undefined,
      ...about,
    }
  }
  for (const name of call.operation.headers) {
    const value = call.headers[name]
    if (typeof value === 'string') own.push(name, value)
  }
  if (call.bytes !== undefined) own.push('content-type', contentType(call))
  return {
    method: call.method,
    target: upstreamTarget(call),
    headers: requestHeaders(request, own),
    body: call.bytes,
    ...about,
  }
}

/** As it was judged. */
function contentType({ operation, headers }: Call): string {
  return operation.body === 'otlp' ? (headers['content-type'] ?? '') : 'application/json'
}

/** What users uploaded must not run as a page of ours, whatever its type says (field report 101). */
const UNTRUSTED = ['content-security-policy', "sandbox; default-src 'none'; frame-ancestors 'self'"]
const NOT_KEPT = ['cache-control', 'no-store']

function answerHeaders(
  { requestId, setCookie = [] }: Exchange,
  { securityHeaders, shellHeaders }: Services,
  operation: Operation,
): string[] {
  const headers = [...securityHeaders, 'x-request-id', requestId]
  for (const cookie of setCookie) headers.push('set-cookie', cookie)
  if (operation.untrusted) headers.push(...UNTRUSTED)
  if (operation.shell) headers.push(...shellHeaders)
  if (!operation.cacheable) headers.push(...NOT_KEPT)
  return headers
}

function sendWhole(exchange: Exchange, services: Services, answer: UpstreamResponse): Relayed {
  const { response, operation } = exchange
  if (operation === undefined) throw new Error('nothing was asked')
  const own = answerHeaders(exchange, services, operation)
  const { 'content-length': _, ...headers } = answer.headers
  response.writeHead(
    answer.status,
    responseHeaders(headers, [...own, 'content-length', String(answer.bytes.length)]),
  )
  end(response, answer.bytes, exchange.request.method)
  return { status: answer.status, bytesOut: answer.bytes.length }
}

function end(response: ServerResponse, bytes: Buffer, method: string | undefined): void {
  if (method === 'HEAD') response.end()
  else response.end(bytes)
}

function json(value: object): UpstreamResponse {
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    bytes: Buffer.from(JSON.stringify(value)),
  }
}

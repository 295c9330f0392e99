import type { AuditEvent } from '../../../src/audit/event.ts'
import { isLookup } from '../mlflow-stand-in.ts'
import { type RawExchange, type RawResponse, rawExchange } from '../raw-request.ts'
import { entitledBy, entitledByFlows, ownersOfCookies } from './entitled.ts'
import type { CallbackPlan, Plan, VisitPlan } from './plan.ts'
import { bytesOf, callbackRequest, presentedRequest, type Spoken, visitRequest } from './render.ts'
import type { Flow, Guest, World } from './world.ts'

/** Milliseconds: what never answers is a finding, a machine that has much to do is none. */
const PATIENCE_MS = 30_000

export type Tally = {
  cases: number
  /** Requests by what became of them. */
  readonly outcomes: Map<string, number>
}

/** Sends what the plan says; says what is wrong with what came of it, if anything is. */
export async function verdictOf(plan: Plan, world: World, tally: Tally): Promise<string | undefined> {
  tally.cases += 1
  switch (plan.kind) {
    case 'presented':
      return judged(presentedRequest(plan, world), world, tally)
    case 'pipelined':
      return pipelined(
        plan.plans.map((each) => presentedRequest(each, world)),
        world,
        tally,
      )
    case 'callback':
      return calledBack(plan, world, tally)
    case 'visit':
      return visited(plan, world, tally)
  }
}

type Heard = {
  readonly log: string
  readonly exchange: RawExchange
  readonly events: readonly AuditEvent[]
  readonly wrong: string | undefined
}

/** What may come of a request: whose it may be, and what must not come out again. */
type Expected = { readonly users: ReadonlySet<string>; readonly secrets?: readonly string[] }

async function judged(
  request: Spoken,
  world: World,
  tally: Tally,
  flows?: readonly Flow[],
): Promise<string | undefined> {
  const users = new Set([...entitledBy(request, world), ...ownersOfCookies(request, world)])
  const expected =
    flows === undefined
      ? { users: request.target.startsWith('/auth/logout') ? users : entitledBy(request, world) }
      : { users: new Set([...users, ...entitledByFlows(request, flows)]), secrets: flows.flatMap(secretsOf) }
  const heard = await send([request], [expected], world, tally)
  const signedIn = heard.events.find(({ event, effect }) => event === 'sign_in' && effect === 'allow')
  const wrong =
    heard.wrong ??
    (signedIn !== undefined && !entitledByFlows(request, flows ?? []).has(signedIn.userId ?? '')
      ? `signed in as ${signedIn.userId}`
      : undefined)
  await restoreEnded(heard.events, request, world)
  return wrong && report(wrong, [request], heard)
}

async function pipelined(
  requests: readonly Spoken[],
  world: World,
  tally: Tally,
): Promise<string | undefined> {
  const expected = requests.map((request) => ({
    users: request.target.startsWith('/auth/logout')
      ? new Set([...entitledBy(request, world), ...ownersOfCookies(request, world)])
      : entitledBy(request, world),
  }))
  const heard = await send(requests, expected, world, tally)
  for (const request of requests) await restoreEnded(heard.events, request, world)
  return heard.wrong && report(heard.wrong, requests, heard)
}

async function calledBack(plan: CallbackPlan, world: World, tally: Tally): Promise<string | undefined> {
  const { guests } = world
  // In this order: of one person's sign-ins the provider lets only the last go on.
  const other = await world.begin(guests[plan.other] as Guest)
  const flow = await world.begin(guests[plan.guest] as Guest)
  if (flow === undefined || other === undefined) return 'a sign-in could not be begun'
  const request = callbackRequest(plan, flow, other, world)
  const wrong = await judged(request, world, tally, [flow, other])
  if (wrong !== undefined || !plan.twice) return wrong
  const again = await judged(request, world, tally, [flow, other])
  return again && `the second time: ${again}`
}

async function visited(plan: VisitPlan, world: World, tally: Tally): Promise<string | undefined> {
  if (!plan.isCompleted) return judged(visitRequest(plan, world), world, tally)
  const query = plan.query.filter(([name]) => name === 'return_to' || name === 'next')
  const begun = visitRequest({ ...plan, path: '/auth/login', query: [...query, ['provider', 'oidc']] }, world)
  const wrong = await judged(begun, world, tally)
  if (wrong !== undefined) return wrong
  // Where it leads is sealed in the cookie, and shows at the end.
  const flow = await world.begin(world.guests[3] as Guest, begun.target)
  if (flow === undefined) return undefined
  const target = `/auth/callback/oidc?${flow.parameters}`
  const headers = [`Cookie: ${flow.cookie.join('=')}`]
  return judged({ method: 'GET', target, headers, body: '' }, world, tally, [flow])
}

async function send(
  requests: readonly Spoken[],
  expected: readonly Expected[],
  world: World,
  tally: Tally,
): Promise<Heard> {
  const { gateway } = world
  gateway.events.length = 0
  gateway.log.length = 0
  gateway.upstream.forget()
  const bytes = Buffer.concat(requests.map((request) => bytesOf(request, gateway.port)))
  const methods = requests.map(({ method }) => method)
  const options = { methods, responses: requests.length, timeoutMs: PATIENCE_MS }
  const exchange = await rawExchange(gateway.port, bytes, options)
  // An event may follow its answer; so may what goes wrong after it.
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate)
  // What came after an answer that ended the connection is worked on all the same.
  if (exchange.responses.length < requests.length) await new Promise((resolve) => setTimeout(resolve, 50))
  const events = [...gateway.events]
  for (const { status } of exchange.responses) count(tally, `${status}`)
  for (const { event, effect, reason } of events) count(tally, `${event} ${effect} ${reason ?? ''}`)
  const wrong =
    faultOfAnswers(exchange, requests, world) ??
    faultOfIdentity(exchange, events, expected) ??
    faultOfReason(events) ??
    faultOfCanary(expected, world) ??
    leak(exchange, events, expected, world)
  const log = gateway.log.filter((line) => line.includes('"level":50')).join('')
  return { exchange, events, log, wrong }
}

function faultOfAnswers(
  { responses, closed }: RawExchange,
  requests: readonly Spoken[],
  world: World,
): string | undefined {
  if (responses.length === 0) return closed ? 'closed without an answer' : 'no answer'
  for (const [index, response] of responses.entries()) {
    if (response.status >= 500) return `answered ${response.status}`
    const stray = strayLink(response, requests[index]?.target ?? '/', world)
    if (stray !== undefined) return `leads to ${stray}`
  }
  return undefined
}

/** Wherever an answer leads that is neither the gateway nor, from a sign-in or a sign-out, its provider. */
function strayLink(
  { headers, body }: RawResponse,
  target: string,
  { gateway, issuer }: World,
): string | undefined {
  const base = URL.parse(target, gateway.url) ?? new URL(gateway.url)
  const to = (link: string) => URL.parse(link, base.origin === gateway.url ? base.href : gateway.url)
  for (const location of headers['location'] ?? []) {
    const url = to(location)
    const toProvider = url?.origin === issuer.url && /^\/auth\/log(?:in|out)\b/.test(base.pathname)
    if (url?.origin !== gateway.url && !toProvider) return location
    const back = url?.searchParams.get('redirect_uri')
    if (toProvider && back && back !== `${gateway.url}/auth/callback/oidc`) return back
  }
  if (!headers['content-type']?.[0]?.startsWith('text/html')) return undefined
  const links = body.toString('utf8').matchAll(/\b(?:href|src|action)="([^"]*)"/g)
  return [...links]
    .map(([, link = '']) => link.replaceAll('&amp;', '&'))
    .find((link) => link !== 'data:,' && to(link)?.origin !== gateway.url)
}

function faultOfIdentity(
  { responses }: RawExchange,
  events: readonly AuditEvent[],
  expected: readonly Expected[],
): string | undefined {
  for (const { userId, requestId, event } of events) {
    if (userId === undefined) continue
    const index = responses.findIndex(({ headers }) => headers['x-request-id']?.[0] === requestId)
    const possible = index === -1 ? expected : expected.slice(index, index + 1)
    if (!possible.some(({ users }) => users.has(userId))) return `${event} as ${userId}`
  }
  for (const [index, { headers }] of responses.entries()) {
    const subject = subjectOfCookie(headers['set-cookie'] ?? [])
    if (subject !== undefined && !expected[index]?.users.has(subject)) return `a session of ${subject}`
  }
  return undefined
}

/** A reason is a word of ours or of the protocol's; nobody writes their own into the record. */
function faultOfReason(events: readonly AuditEvent[]): string | undefined {
  const strange = events.find(({ reason = 'none' }) => !/^[\w-]{1,64}$/.test(reason))
  return strange && `a reason on record: ${strange.reason}`
}

/** Whose session a cookie that is set stands for. */
function subjectOfCookie(lines: readonly string[]): string | undefined {
  const token = lines
    .map((line) => /^gateway_token=([^;]+)/.exec(line)?.[1])
    .find((value) => value !== undefined)
  const claims = token?.split('.')[1]
  return claims === undefined ? undefined : JSON.parse(Buffer.from(claims, 'base64url').toString()).sub
}

function faultOfCanary(expected: readonly Expected[], { gateway, readers }: World): string | undefined {
  const users = expected.flatMap((each) => [...each.users])
  for (const request of gateway.upstream.requests) {
    if (request.rawHeaders.some((text) => /^(?:authorization|cookie|x-forwarded-user)$/i.test(text)))
      return `credentials reached the tracking server: ${request.url}`
    const id = /experiment_id=(\d)/.exec(request.url)?.[1]
    const may = users.filter((userId) => id === undefined || readers[id]?.has(userId))
    // To look up whether somebody may is no harm, as long as it is somebody.
    if (isLookup(request) ? users.length === 0 : may.length === 0)
      return `reached the tracking server: ${request.url}`
  }
  return undefined
}

function leak(
  { responses }: RawExchange,
  events: readonly AuditEvent[],
  expected: readonly Expected[],
  { gateway, secrets }: World,
): string | undefined {
  const answers = responses.map(({ rawHeaders, body }) => {
    const shown = rawHeaders.filter(([name]) => name.toLowerCase() !== 'set-cookie')
    return `${shown.map((pair) => pair.join(': ')).join('\n')}\n${body.toString('latin1')}`
  })
  const places = {
    'the answer': answers.join('\n'),
    'the record': JSON.stringify(events),
    'the log': gateway.log.join(''),
    'what the tracking server got': gateway.upstream.requests
      .map(({ rawHeaders, url }) => `${url} ${rawHeaders}`)
      .join(),
  }
  const all = [...secrets(), ...expected.flatMap(({ secrets: more = [] }) => more)]
  for (const [place, text] of Object.entries(places)) {
    const found = all.find((secret) => text.includes(secret))
    if (found !== undefined) return `${found.slice(0, 12)}... stands in ${place}`
  }
  return undefined
}

function secretsOf({ parameters, cookie }: Flow): readonly string[] {
  return [parameters.get('code') ?? '', parameters.get('state') ?? '', cookie[1]].filter(
    (secret) => secret !== '',
  )
}

/** A sign-out has ended somebody's session, a sign-in the one its browser had. */
async function restoreEnded(events: readonly AuditEvent[], request: Spoken, world: World): Promise<void> {
  if (!events.some(({ event }) => event === 'sign_out' || event === 'sign_in')) return
  const owners = ownersOfCookies(request, world)
  for (const guest of world.guests) if (owners.has(guest.userId)) await world.restore(guest)
}

function report(wrong: string, requests: readonly Spoken[], { exchange, events, log }: Heard): string {
  const sent = requests.map(({ method, target, headers, body }) =>
    [`${method} ${target}`, ...headers, body].join('\n'),
  )
  const received = exchange.received.toString('latin1').slice(0, 1500)
  return `${wrong}\n--- sent\n${sent.join('\n\n')}\n--- received\n${received}\n--- on record\n${JSON.stringify(events)}\n--- failed\n${log.slice(0, 1500)}\n`
}

function count({ outcomes }: Tally, outcome: string): void {
  outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
}

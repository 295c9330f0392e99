import type { Account } from './accounts.ts'
import type { Case } from './cases.ts'
import type { OracleGateway } from './ours.ts'
import { type Parts, targetOf } from './request.ts'
import type { Seed, Things } from './seed.ts'
import { basicCredential } from './theirs.ts'

/** What became of a request on one side. */
export type Effect = {
  readonly refused: boolean
  readonly status: number
  /** Which of the things that were seeded the answer tells of. */
  readonly visible: ReadonlySet<string>
  readonly text: string
  /** Ours, as recorded. */
  readonly reason?: string | undefined
}

/** Everything in an answer that is of one seeded thing and of no other. */
export function markersOf(seed: Seed): readonly string[] {
  return [seed.own, seed.other].flatMap((things) => [...idsOf(things), ...namesOf(things)])
}

function idsOf({ side: _side, ...things }: Things): readonly string[] {
  return Object.values(things)
}

function namesOf({ side }: Things): readonly string[] {
  const kinds = ['run', 'param', 'logged', 'assessment', 'span', 'input', 'dataset', 'record', 'issue']
  const more = [
    'secret',
    'definition',
    'guardrail',
    'mcp',
    'webhook',
    'version_of_model',
    'version_of_prompt',
  ]
  return [...kinds, ...more].map((kind) => `${kind}_${side}`)
}

let count = 0

/** The same request for both sides: the ids are the same on both. */
export function requestOf(
  { question, account, side }: Case,
  seed: Seed,
): Parts & { readonly target: string } {
  const parts = question.template({
    it: seed[side],
    others: seed[side === 'own' ? 'other' : 'own'],
    fresh: `f${++count}`,
    username: account.name,
  })
  return { ...parts, target: targetOf(question.path, parts) }
}

type Request = ReturnType<typeof requestOf>

function send(url: string, method: string, request: Request, credential: string): Promise<Response> {
  const { target, json, body, headers } = request
  return fetch(`${url}${target}`, {
    method,
    redirect: 'manual',
    headers: {
      authorization: credential,
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    ...(body === undefined ? {} : { body }),
    signal: AbortSignal.timeout(30_000),
  })
}

export type Asking = {
  readonly markers: readonly string[]
  readonly request: Request
  readonly method: string
}

/** MLflow's answer for what is switched off on the server, whoever asks: nobody is let through. */
const SWITCHED_OFF = 503

/** What MLflow's own app makes of it: 401 and 403 are refusals, whatever else comes was let through to a handler. */
export async function askTheirs(url: string, account: Account, asking: Asking): Promise<Effect> {
  const response = await send(url, asking.method, asking.request, basicCredential(account))
  const text = await response.text()
  const { status } = response
  const refused = status === 401 || status === 403 || status === SWITCHED_OFF
  return { refused, status, text, visible: visibleIn(text, status, asking) }
}

/** What the gateway makes of it: as it was recorded, since a refusal may read as if the thing did not exist. */
export async function askOurs(gateway: OracleGateway, account: Account, asking: Asking): Promise<Effect> {
  const credential = gateway.credentials.get(account.name) ?? ''
  const response = await send(gateway.url, asking.method, asking.request, credential)
  const text = await response.text()
  const { status } = response
  await new Promise(setImmediate)
  const event = gateway.eventOf(response.headers.get('x-request-id') ?? '')
  return {
    ...{ refused: event?.effect === 'deny' || event === undefined || status === SWITCHED_OFF, status, text },
    visible: visibleIn(text, status, asking),
    reason: event?.reason ?? (event === undefined ? 'no_such_route' : undefined),
  }
}

function visibleIn(text: string, status: number, { markers }: Asking): ReadonlySet<string> {
  return new Set(status < 300 ? markers.filter((marker) => text.includes(marker)) : [])
}

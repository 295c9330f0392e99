import { type Mutation, mutate } from './mutation.ts'
import type {
  AuthorizationPlan,
  CallbackPlan,
  CookiePlan,
  ParameterChange,
  PresentedPlan,
  VisitPlan,
} from './plan.ts'
import type { Flow, World } from './world.ts'

/** A request to be sent byte for byte. */
export type Spoken = {
  readonly method: string
  readonly target: string
  readonly headers: readonly string[]
  readonly body: string
}

export function bytesOf({ method, target, headers, body }: Spoken, port: number): Buffer {
  const length =
    body === '' && (method === 'GET' || method === 'HEAD') ? [] : [`Content-Length: ${body.length}`]
  const lines = [`${method} ${target} HTTP/1.1`, `Host: 127.0.0.1:${port}`, ...headers, ...length]
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`, 'latin1')
}

export function presentedRequest(plan: PresentedPlan, world: World): Spoken {
  const pairs = plan.cookies.map((each) => cookiePair(each, world))
  const half = plan.cookieHeaders === 1 ? pairs.length : Math.ceil(pairs.length / 2)
  const cookies = [pairs.slice(0, half), pairs.slice(half)]
    .filter((part) => part.length > 0)
    .map((part) => `Cookie: ${part.join(plan.separator)}`)
  const headers = [
    ...plan.authorizations.map((each) => authorizationLine(each, world)),
    ...cookies,
    ...plan.more,
  ]
  return { method: plan.method, target: plan.target, headers, body: plan.body }
}

function authorizationLine(plan: AuthorizationPlan, { tokens }: World): string {
  const token = mutate(tokens[plan.token.pick % tokens.length]?.value ?? '', plan.token.changes)
  const pairs = { password: `user:${token}`, user: `${token}:`, both: `${token}:${token}`, alone: token }
  const value = plan.basic === undefined ? token : Buffer.from(pairs[plan.basic], 'latin1').toString('base64')
  return `${plan.header}: ${plan.scheme}${plan.space}${value}${plan.after}`
}

function cookiePair({ from, name, changes }: CookiePlan, { guests, tokens }: World): string {
  const own = 'guest' in from ? from.cookie : 'gateway_token'
  const value = 'guest' in from ? guests[from.guest]?.cookies[own] : tokens[from.token % tokens.length]?.value
  const names = {
    own,
    swapped: own === 'gateway_token' ? 'gateway_session' : 'gateway_token',
    login: 'gateway_login_abcdefgh',
    prefixed: `__Host-${own}`,
    spaced: `${own} `,
    upper: own.toUpperCase(),
  }
  return `${names[name]}=${mutate(value ?? '', changes)}`
}

/** @param other Begun by somebody else, or once more by the same person. */
export function callbackRequest(plan: CallbackPlan, flow: Flow, other: Flow, { guests }: World): Spoken {
  const query = changedParameters([...flow.parameters], plan.changes, other)
  const session = plan.session === undefined ? {} : (guests[plan.session]?.cookies ?? {})
  const cookies = [
    ...transactionCookies(plan, flow, other),
    ...Object.entries(session).map((pair) => pair.join('=')),
  ]
  const headers = cookies.length === 0 ? [] : [`Cookie: ${cookies.join('; ')}`]
  return { method: 'GET', target: `${plan.path}?${query}`, headers, body: '' }
}

function transactionCookies(plan: CallbackPlan, flow: Flow, other: Flow): readonly string[] {
  const value = mutate(flow.cookie[1], plan.cookieChanges)
  const own = `${flow.cookie[0]}=${value}`
  const theirs = other.cookie.join('=')
  switch (plan.cookie) {
    case 'own':
      return [own]
    case 'none':
      return []
    case 'other':
      return [theirs]
    case 'both':
      return [own, theirs]
    case 'twice':
      return [own, own]
    case 'renamed':
      return [`${other.cookie[0]}=${value}`]
    case 'own as other':
      return [`${flow.cookie[0]}=${other.cookie[1]}`]
    case 'session instead':
      return [`gateway_token=${value}`, `gateway_session=${value}`]
  }
}

type Parameters = readonly (readonly [name: string, value: string])[]

function changedParameters(given: Parameters, changes: readonly ParameterChange[], other: Flow): string {
  // Encoded last, and only once: what a change encodes is encoded twice.
  const encoded = given.map(([name, value]) => [name, encode(value)] as const)
  return changes
    .reduce<Parameters>((parameters, change) => changeParameters(parameters, change, other), encoded)
    .map((pair) => pair.join('='))
    .join('&')
}

function changeParameters(given: Parameters, change: ParameterChange, other: Flow): Parameters {
  const replace = (value: (before: string) => string) =>
    given.map(([name, before]) => [name, name === change.name ? value(before) : before] as const)
  switch (change.kind) {
    case 'drop':
      return given.filter(([name]) => name !== change.name)
    case 'duplicate':
      return [...given, [change.name, encode(other.parameters.get(change.name) ?? '')]]
    case 'swap':
      return replace(() => encode(other.parameters.get(change.name) ?? ''))
    case 'upper':
      return given.map(([name, value]) => [name === change.name ? name.toUpperCase() : name, value])
    case 'empty':
      return replace(() => '')
    case 'encode':
      return replace((before) => [...decodeURIComponent(before)].map(percent).join(''))
    case 'change':
      return replace((before) => encode(changedText(before, change.changes)))
    case 'add':
      return [...given, [change.name, encode(change.value)]]
  }
}

function changedText(encoded: string, changes: readonly Mutation[]): string {
  try {
    return mutate(decodeURIComponent(encoded), changes)
  } catch {
    return mutate(encoded, changes)
  }
}

export function visitRequest(plan: VisitPlan, { guests }: World): Spoken {
  const query = plan.query.map(([name, value]) => `${name}=${encode(value)}`).join('&')
  const cookies = plan.session === undefined ? {} : (guests[plan.session]?.cookies ?? {})
  const pairs = Object.entries(cookies).map((pair) => pair.join('='))
  const headers = [...plan.more, ...(pairs.length === 0 ? [] : [`Cookie: ${pairs.join('; ')}`])]
  return { method: 'GET', target: query === '' ? plan.path : `${plan.path}?${query}`, headers, body: '' }
}

/** As UTF-8, lone surrogates included. */
function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}

const percent = (character: string) =>
  [...Buffer.from(character)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')

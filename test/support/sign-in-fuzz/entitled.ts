import type { Spoken } from './render.ts'
import type { Flow, World } from './world.ts'

/**
 * Whose identity a request can rightly have: the owners of the good credentials that stand in it, letter for letter. How
 * it is put together is not looked at, so this knows nothing of how the gateway reads it. An `Authorization` header
 * leaves no say to cookies.
 */
export function entitledBy(request: Spoken, world: World): ReadonlySet<string> {
  const authorization = linesOf(request, 'authorization')
  return authorization.length > 0 ? ownersOfTokens(authorization, world) : ownersOfCookies(request, world)
}

export function ownersOfCookies(request: Spoken, { guests }: World): ReadonlySet<string> {
  const text = cookiesOf(request)
  const holders = guests.filter(({ cookies }) =>
    Object.values(cookies).some((value) => text.includes(canonical(value))),
  )
  return new Set(holders.map(({ userId }) => userId))
}

/** Whom a callback may sign in: whose code stands in it, beside the state and the cookie of the same sign-in. */
export function entitledByFlows(request: Spoken, flows: readonly Flow[]): ReadonlySet<string> {
  const target = decoded(request.target)
  const cookies = cookiesOf(request)
  const whole = flows.filter(({ parameters, cookie }) => {
    const [code, state] = [parameters.get('code'), parameters.get('state')]
    return (
      code &&
      state &&
      target.includes(code) &&
      target.includes(state) &&
      cookies.includes(canonical(sealedPart(cookie[1])))
    )
  })
  return new Set(whole.map(({ userId }) => userId))
}

function ownersOfTokens(lines: readonly string[], { tokens }: World): ReadonlySet<string> {
  const pieces = lines.flatMap((line) => line.split(/[^\w.+/=~-]+/))
  const text = canonical(
    [...lines, ...pieces.map((piece) => Buffer.from(piece, 'base64').toString('latin1'))].join('\n'),
  )
  const good = tokens.filter(({ value, owner }) => owner !== undefined && text.includes(canonical(value)))
  return new Set(good.flatMap(({ owner }) => owner ?? []))
}

function linesOf({ headers }: Spoken, name: string): readonly string[] {
  return headers
    .filter((line) => line.toLowerCase().startsWith(`${name}:`))
    .map((line) => line.slice(name.length + 1))
}

/** Also as a library would read it that takes a cookie's value for percent-encoded. */
function cookiesOf(request: Spoken): string {
  const sent = linesOf(request, 'cookie').join('\n')
  const read = sent.replace(/%[0-9a-f]{2}/gi, (code) =>
    String.fromCharCode(Number.parseInt(code.slice(1), 16)),
  )
  return `${canonical(sent)}\n${canonical(read)}`
}

/** What stands in front of it, a time, decides nothing. */
function sealedPart(value: string): string {
  return value.slice(value.indexOf('.') + 1)
}

/** Two spellings of the same bytes are one: the last letter of base64url has bits to spare. */
function canonical(text: string): string {
  return text.replace(/[\w-]{20,}/g, (part) => Buffer.from(part, 'base64url').toString('base64url'))
}

function decoded(target: string): string {
  try {
    return decodeURIComponent(target)
  } catch {
    return target
  }
}

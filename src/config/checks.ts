import type { FaultList } from './fault.ts'
import type { Source } from './variables.ts'

/** True for `localhost`, its subdomains (RFC 6761 §6.3), 127.0.0.0/8 and `[::1]`, as `URL.hostname` spells them. */
export function isLoopback(hostname: string): boolean {
  return /^(?:localhost|[a-z0-9.-]+\.localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname)
}

/** Scheme, host, optional port, and a path of plain segments: nothing that two parsers could read differently. */
const PLAIN_URL = /^https?:\/\/[^\s\\/?#@%]+(?:\/[A-Za-z0-9._~-]+)*\/?$/i

/** The URL if it is plain http or https without user, query or fragment. Dot segments are refused, not resolved. */
export function parsePlainUrl(value: string): URL | undefined {
  if (!PLAIN_URL.test(value) || /\/\.{1,2}(?:\/|$)/.test(value) || !URL.canParse(value)) return undefined
  const url = new URL(value)
  if (url.pathname !== '/') url.pathname = url.pathname.replace(/\/$/, '')
  return url
}

/** The URL if the text can be an issuer identifier (OIDC Discovery 1.0 §3): no user, query or fragment. */
export function parseIssuer(value: string): URL | undefined {
  if (!/^https?:\/\/[^\s\\?#@]+$/.test(value) || !URL.canParse(value)) return undefined
  return new URL(value)
}

/** As {@link parsePlainUrl}; what is no such URL becomes a fault and a stand-in. */
export function readPlainUrl(name: string, value: string, faults: FaultList): URL {
  const url = parsePlainUrl(value)
  if (url !== undefined) return url
  faults.add(
    name,
    'is not an http or https URL without user, query, fragment or special characters',
    'Set it to a URL such as https://host.example or http://127.0.0.1:5000/prefix.',
  )
  return new URL('https://stand-in.invalid')
}

/** A host for ALLOWED_HOSTS as requests are compared with it: lower-case, no trailing dot. Undefined if it is none. */
export function parseAllowedHost(entry: string): string | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?(:\d{1,5})?$/.exec(entry.toLowerCase())
  return match === null ? undefined : `${match[1]}${match[2] ?? ''}`
}

/** The entries as {@link parseAllowedHost} has them; those that are no hosts become faults. */
export function readHosts(name: string, entries: readonly string[], faults: FaultList): readonly string[] {
  return entries.flatMap((entry) => {
    const host = parseAllowedHost(entry)
    if (host === undefined) {
      faults.add(name, 'holds an entry that is no host name', 'Set it to names such as mlflow.internal:8443.')
    }
    return host ?? []
  })
}

const PLACEHOLDER_WORDS =
  /change.?me|change.?it|placeholder|replace|example|password|your.secret|my.secret|secret.key/i

/**
 * Why a text does not serve as key material, or undefined if it does. The entropy is an estimate from the characters'
 * frequencies: it finds what people type, random text of 32 hexadecimal digits passes by far.
 */
export function secretWeakness(secret: string): string | undefined {
  if (secret.length < 32) return 'is shorter than 32 characters'
  if (PLACEHOLDER_WORDS.test(secret)) return 'is a placeholder'
  if (`${secret}${secret}`.indexOf(secret, 1) < secret.length) return 'repeats itself'
  if (entropyBits(secret) < 80 || longestRun(secret) > 8) return 'is not random'
  return undefined
}

/** Shannon entropy of the text under its own character frequencies, in bits. */
function entropyBits(value: string): number {
  const counts = new Map<string, number>()
  for (const character of value) counts.set(character, (counts.get(character) ?? 0) + 1)
  let bits = 0
  for (const count of counts.values()) bits -= count * Math.log2(count / value.length)
  return bits
}

/** Length of the longest stretch that counts up, counts down or stays: `abcdef`, `987654`, `zzzz`. */
function longestRun(value: string): number {
  let longest = 1
  let run = 1
  let lastStep = Number.NaN
  for (let index = 1; index < value.length; index++) {
    const step = value.charCodeAt(index) - value.charCodeAt(index - 1)
    run = step === lastStep && Math.abs(step) <= 1 ? run + 1 : 2
    lastStep = step
    longest = Math.max(longest, run)
  }
  return longest
}

/** What the file that a variable names holds; one that cannot be read is a fault. */
export function readNamedFile(
  name: string,
  path: string | undefined,
  { readFile }: Source,
  faults: FaultList,
): string | undefined {
  if (path === undefined) return undefined
  try {
    return readFile(path)
  } catch {
    const remedy = "Check its path, and that the gateway's user may read it."
    faults.add(name, 'names a file that cannot be read', remedy)
    return undefined
  }
}

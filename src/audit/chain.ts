import { createHash } from 'node:crypto'
import { deriveKey } from '../identity/sealing.ts'
import type { AuditEvent } from './event.ts'
import { createHmacSha256 } from './hmac.ts'
import { createRequestIds } from './request-id.ts'

/** Where an event stands. Who cannot read `GATEWAY_SECRET` cannot make the digest of another event, or of another place. */
export type Link = {
  /** One run of one process: a ULID. A process that starts anew begins a new chain. */
  readonly chain: string
  /** Counts from 1 without a gap. */
  readonly seq: number
  /** HMAC-SHA-256, base64url, over the chain, the number, the digest before it and the event's text. */
  readonly digest: string
}

/** An event in its place. Its text is what the digest is over, byte for byte. */
export type ChainedText = { readonly text: string; readonly link: Link }

export type ChainedEvent = ChainedText & { readonly event: AuditEvent }

/** What makes and checks digests: a key of its own, derived from `GATEWAY_SECRET`. */
export type ChainKey = {
  /** Tells keys apart, and says nothing of them: chains made under an earlier secret are known by it. */
  readonly id: string
  /** @param previous Digest of the event before; '' for the first of a chain. */
  readonly digest: (place: Omit<Link, 'digest'>, previous: string, text: string) => string
  /** A digest over what the store keeps of a chain itself. */
  readonly seal: (parts: readonly (string | number | null)[]) => string
}

export type Chain = {
  readonly id: string
  readonly key: ChainKey
  /** What began it: `gateway` or `command line`, and on which machine. */
  readonly origin: string
  /** Gives the next event its place. */
  readonly add: (event: AuditEvent) => ChainedEvent
}

export function createChainKey(secret: string): ChainKey {
  const hmac = createHmacSha256(deriveKey(secret, 'audit-chain'))
  return {
    id: createHash('sha256').update(deriveKey(secret, 'audit-chain-key-id')).digest('base64url').slice(0, 16),
    // A ULID has no line feed and a seal begins with `[`, so none of them reads as another.
    digest: ({ chain, seq }, previous, text) => hmac(`${chain}\n${seq}\n${previous}\n${text}`),
    seal: (parts) => hmac(JSON.stringify(parts)),
  }
}

export function createChain(key: ChainKey, origin: string): Chain {
  const id = createRequestIds()()
  let seq = 0
  let previous = ''
  return {
    ...{ id, key, origin },
    add: (event) => {
      const text = JSON.stringify(event)
      seq += 1
      previous = key.digest({ chain: id, seq }, previous, text)
      return { event, text, link: { chain: id, seq, digest: previous } }
    },
  }
}

/**
 * The event as a line of JSON, with its line feed: in the audit file, on standard output and in an export. `log` tells it
 * from the program's own lines.
 */
export function lineOf({ text, link }: { readonly text: string; readonly link?: Link | undefined }): string {
  if (link === undefined) return `{"log":"audit",${text.slice(1)}\n`
  const { chain: id, seq, digest } = link
  return `{"log":"audit","chain":${JSON.stringify({ id, seq, digest })},${text.slice(1)}\n`
}

const LINE =
  /^\{"log":"audit",(?:"chain":\{"id":"(?<chain>[0-9A-Z]{26})","seq":(?<seq>[1-9][0-9]{0,15}),"digest":"(?<digest>[\w-]{43})"\},)?(?<rest>.*)$/s

/**
 * Reads a line back as {@link lineOf} wrote it, byte for byte: two spellings of one event are two texts.
 *
 * @returns Undefined for a line that is no audit line; without `link` for one that stands in no chain.
 */
export function readLine(
  line: string,
): { readonly text: string; readonly link: Link | undefined } | undefined {
  const { chain, seq, digest, rest } = LINE.exec(line)?.groups ?? {}
  // An event has no such member: its place was spelled in another way than ours.
  if (rest === undefined || rest.startsWith('"chain":')) return undefined
  const text = `{${rest}`
  if (chain === undefined || seq === undefined || digest === undefined) return { text, link: undefined }
  return { text, link: { chain, seq: Number(seq), digest } }
}

import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { upTo } from '../room.ts'
import type { Credential } from './principal.ts'

/** A credential that was verified, and whose it is. */
export type VerifiedCredential = { readonly credential: Credential; readonly userId: string }

/** A row of the store's changes feed. */
export type Change = { readonly kind: string; readonly key: string }

/** Verified credentials by the digest of what was sent. Bounded; asks nobody. */
export type CredentialCache = {
  /** @returns `undefined` once the credential has expired, however long it was cached. */
  get(digest: string): VerifiedCredential | undefined
  /** Counts revocations seen. Take it **before** asking the store whether a credential still holds. */
  version(): number
  /** Keeps a credential, unless something was revoked since `version`: it might have been this very one. */
  put(digest: string, verified: VerifiedCredential, version: number): void
  /** Forgets what a change may have ended: one access token, one session; all of them for the signing keys and `*`. */
  drop(change: Change): void
  readonly size: number
}

/** The key a token is cached under, so that no token lies in memory as a key. */
export function digestOf(secret: string): string {
  return hash('sha256', secret, 'base64url')
}

/**
 * @param now Seconds since the epoch.
 * @param use Counted up with each question: whether the credential was known.
 * @param max How many credentials to keep; the least recently used goes first.
 */
export function createCredentialCache({
  now,
  max = 20_000,
  use = { hits: 0, misses: 0 },
}: {
  now: () => number
  max?: number
  use?: { hits: number; misses: number } | undefined
}): CredentialCache {
  const digestsById = new Map<string, Set<string>>()
  let version = 0
  const entries = new LRUCache<string, VerifiedCredential>({
    ...upTo(max),
    dispose: ({ credential }, digest) => unlink(digestsById, credential.id, digest),
  })
  return {
    get(digest) {
      const verified = entries.get(digest)
      if (verified !== undefined && verified.credential.expiresAt > now()) {
        use.hits += 1
        return verified
      }
      use.misses += 1
      if (verified !== undefined) entries.delete(digest)
      return undefined
    },
    version: () => version,
    put(digest, verified, since) {
      if (since !== version) return
      entries.set(digest, verified)
      const digests = digestsById.get(verified.credential.id)
      if (digests === undefined) digestsById.set(verified.credential.id, new Set([digest]))
      else digests.add(digest)
    },
    drop({ kind, key }) {
      if (kind !== 'token' && kind !== 'session' && kind !== 'keys') return
      version += 1
      if (kind === 'keys' || key === '*') entries.clear()
      else for (const digest of [...(digestsById.get(key) ?? [])]) entries.delete(digest)
    },
    get size() {
      return entries.size
    },
  }
}

function unlink(digestsById: Map<string, Set<string>>, id: string, digest: string): void {
  const digests = digestsById.get(id)
  digests?.delete(digest)
  if (digests?.size === 0) digestsById.delete(id)
}

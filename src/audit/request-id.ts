import { randomFillSync } from 'node:crypto'

/** Crockford's base32, which ULIDs are written in: no I, L, O or U. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** Two characters at once: half as many texts on the way to an id. */
const PAIRS = [...ALPHABET].flatMap((first) => [...ALPHABET].map((second) => first + second))

const TIME_CHARACTERS = 10
/** One for each of 16 characters. */
const RANDOM_BYTES = 16
const POOL_BYTES = RANDOM_BYTES * 256

/**
 * Makes request ids: ULIDs, 26 characters that sort by the millisecond they were made in. Always ours, never taken from
 * a client, so that an id quoted in a complaint finds exactly one request.
 *
 * @param nowMs Milliseconds since the epoch.
 */
export function createRequestIds(nowMs: () => number = Date.now): () => string {
  // One call to the system's generator for 256 ids.
  const pool = new Uint8Array(POOL_BYTES)
  let used = POOL_BYTES
  let timeOf = -1
  let time = ''
  return () => {
    const at = nowMs()
    if (at !== timeOf) {
      timeOf = at
      time = encodeTime(at)
    }
    if (used === POOL_BYTES) {
      randomFillSync(pool)
      used = 0
    }
    let id = time
    for (const end = used + RANDOM_BYTES; used < end; used += 2) {
      id += PAIRS[((pool[used] ?? 0) & 31) * 32 + ((pool[used + 1] ?? 0) & 31)]
    }
    return id
  }
}

function encodeTime(at: number): string {
  let rest = at
  let text = ''
  for (let index = 0; index < TIME_CHARACTERS; index += 1) {
    text = ALPHABET[rest % 32] + text
    rest = Math.floor(rest / 32)
  }
  return text
}

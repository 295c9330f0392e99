import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** How many bytes may pass before the buffers they came in are freed. */
const EVERY = 16 * 1024 * 1024

let passed = 0

/**
 * Counts bytes that were passed on, and now and then has V8 free the buffers they came in. Each read of a socket is a
 * buffer of up to 64 KiB outside V8's heap; left alone, V8 lets about 64 MiB of them gather before it looks, since what
 * holds them is small. A collection of the young generation takes about a millisecond, less than copying that many
 * bytes.
 */
export function notePassed(bytes: number): void {
  passed += bytes
  if (passed < EVERY) return
  passed = 0
  collectYoung()
}

/**
 * Frees the memory of bytes at once, if nothing else lies in it; else they are counted. The next read of a socket then
 * finds that memory still in the processor's cache. For bytes that nobody reads any more, the operating system
 * included: their write must be over.
 */
export function freePassed(bytes: Buffer): void {
  const { buffer } = bytes
  if (buffer instanceof ArrayBuffer && buffer.byteLength === bytes.length) buffer.transfer(0)
  else notePassed(bytes.length)
}

type Collect = (options: { readonly type: 'minor' }) => void

/** V8's own `gc`, without handing it to anybody else. */
const collect = exposeCollect()

function exposeCollect(): Collect {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as Collect
  setFlagsFromString('--no-expose-gc')
  return gc
}

function collectYoung(): void {
  collect({ type: 'minor' })
}

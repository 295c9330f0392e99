import { setFlagsFromString } from 'node:v8'

/**
 * Lets the old generation of V8's heap become twice as large as what was alive in it before the whole heap is collected.
 *
 * Left to itself V8 allows a third from the first rest of some seconds on (its memory reducer), for as long as the heap
 * stays about as large. Bytes of buffers count too: with some 40 MB alive, one collection came for every 32 MiB of an
 * upload, and all of them took more of the processor than the upload. Measured: `test/cost/after-rest.test.ts`.
 */
export function letHeapGrow(): void {
  setFlagsFromString('--heap-growing-percent=100')
}

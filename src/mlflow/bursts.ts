import type { ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'
import { freePassed } from './passed-buffers.ts'

/** Most bytes of one answer that wait for its client. Eight reads of a socket, which leave in one write. */
const MOST_BYTES = 512 * 1024

/**
 * Hands an answer's bytes to its client as they come, those of one turn of the event loop together. While the client
 * does not take them MLflow is paused, and what it has taken is freed.
 */
export class Bursts {
  readonly #response: ServerResponse
  #gathered: Buffer[] = []
  /** Bytes that wait for the client: gathered ones, and those on their way through its socket. */
  #waitingBytes = 0

  constructor(response: ServerResponse) {
    this.#response = response
  }

  add(chunk: Buffer, controller: Dispatcher.DispatchController): void {
    if (this.#gathered.length === 0) setImmediate(this.write, controller)
    this.#gathered.push(chunk)
    this.#waitingBytes += chunk.length
    if (this.#waitingBytes < MOST_BYTES) return
    controller.pause()
    this.write(controller)
  }

  /** Does not wait for more. */
  readonly write = (controller: Dispatcher.DispatchController): void => {
    const [chunks, response] = [this.#gathered, this.#response]
    const last = chunks.at(-1)
    if (last === undefined || response.destroyed) return
    this.#gathered = []
    for (const chunk of chunks.slice(0, -1)) response.write(chunk)
    response.write(last, (fault) => {
      // What could not be written may be with the operating system still; the collector frees it in time.
      if (fault) return
      for (const chunk of chunks) {
        this.#waitingBytes -= chunk.length
        freePassed(chunk)
      }
      if (controller.paused && this.#waitingBytes < MOST_BYTES) controller.resume()
    })
  }
}

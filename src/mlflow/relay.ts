import type { ServerResponse } from 'node:http'
import type { Dispatcher, Pool } from 'undici'
import { responseHeaders } from './headers.ts'
import { notePassed } from './passed-buffers.ts'
import type { Relayed } from './upstream.ts'

export type RelayOptions = {
  /** Names and values alternating. */
  readonly addHeaders: readonly string[]
  /** The head of MLflow's answer is there. */
  readonly onHead: () => void
}

/**
 * Passes an answer of MLflow on to the client as it comes: no copy, no buffer beyond the sockets' own. When the client
 * reads slowly MLflow is paused; when it goes away MLflow's answer is given up.
 *
 * @returns When the last byte was handed to the client's socket, or the client has gone.
 * @throws The transport's fault, if nothing was sent to the client yet; later faults cut the client's connection, so
 *   that it cannot take a part for the whole.
 */
export function relay(
  pool: Pool,
  options: Dispatcher.DispatchOptions,
  response: ServerResponse,
  relayed: RelayOptions,
): Promise<Relayed> {
  return new Promise((resolve, reject) => {
    pool.dispatch(options, new Relay(response, relayed, resolve, reject))
  })
}

/** MLflow answered before it had the whole upload: the rest is read by nobody, so no request can follow it. */
const LAST = ['connection', 'close']

class Relay implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse
  readonly #options: RelayOptions
  readonly #resolve: (relayed: Relayed) => void
  readonly #reject: (fault: Error) => void
  #status = 0
  #bytesOut = 0

  constructor(
    response: ServerResponse,
    options: RelayOptions,
    resolve: (relayed: Relayed) => void,
    reject: (fault: Error) => void,
  ) {
    this.#response = response
    this.#options = options
    this.#resolve = resolve
    this.#reject = reject
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    const response = this.#response
    if (response.destroyed) {
      controller.abort(new Error('the client has gone'))
      return
    }
    response.on('drain', () => controller.resume())
    response.once('close', () => {
      if (!response.writableFinished) controller.abort(new Error('the client has gone'))
    })
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return
    const { addHeaders, onHead } = this.#options
    onHead()
    this.#status = status
    const own = this.#response.req.complete ? addHeaders : [...addHeaders, ...LAST]
    this.#response.writeHead(status, responseHeaders(headers, own))
  }

  onBodySent(chunk: Buffer): void {
    notePassed(chunk.length)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytesOut += chunk.length
    notePassed(chunk.length)
    if (!this.#response.write(chunk)) controller.pause()
  }

  onResponseEnd(): void {
    this.#response.end()
    this.#resolve({ status: this.#status, bytesOut: this.#bytesOut })
  }

  onResponseError(_controller: Dispatcher.DispatchController, fault: Error): void {
    if (!this.#response.headersSent && !this.#response.destroyed) {
      this.#reject(fault)
      return
    }
    this.#response.destroy()
    this.#resolve({ status: this.#status, bytesOut: this.#bytesOut })
  }
}

import type { ServerResponse } from 'node:http'
import type { Dispatcher, Pool } from 'undici'
import { Bursts } from './bursts.ts'
import { responseHeaders } from './headers.ts'
import { notePassed } from './passed-buffers.ts'
import type { Relayed } from './upstream.ts'

export type RelayOptions = {
  /** Names and values alternating. */
  readonly addHeaders: readonly string[]
  /** The head of MLflow's answer is there. */
  readonly onHead: () => void
  /** What a fault of the transport is to be thrown as. */
  readonly asFault: (fault: unknown) => Error
}

/**
 * Passes an answer of MLflow on to the client as it comes: no copy, no buffer beyond the sockets' own. When the client
 * reads slowly MLflow is paused; when it goes away MLflow's answer is given up.
 *
 * @returns When the last byte was handed to the client's socket, or the client has gone.
 * @throws The transport's fault by `asFault`, if nothing was sent to the client yet; later faults cut the client's
 *   connection, so that it cannot take a part for the whole.
 */
export function relay(
  pool: Pool,
  options: Dispatcher.DispatchOptions,
  response: ServerResponse,
  relayed: RelayOptions,
): Promise<Relayed> {
  return new Promise((resolve, reject) => {
    try {
      pool.dispatch(options, new Relay(response, relayed, resolve, reject))
    } catch (fault) {
      reject(relayed.asFault(fault))
    }
  })
}

/** MLflow answered before it had the whole upload: the rest is read by nobody, so no request can follow it. */
const LAST = ['connection', 'close']

/** Of a body that short a copy is cheaper than a second buffer: as text of one byte a character it goes out with the head. */
const SHORT_BYTES = 8192

function endWith(response: ServerResponse, last: Buffer): void {
  notePassed(last.length)
  if (last.length > SHORT_BYTES) response.end(last)
  else response.end(last.toString('latin1'), 'latin1')
}

class Relay implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse
  readonly #options: RelayOptions
  readonly #resolve: (relayed: Relayed) => void
  readonly #reject: (fault: Error) => void
  /** Of an answer in more than one piece. */
  #bursts: Bursts | undefined
  #status = 0
  #bytesOut = 0
  /** Bytes of the body, if MLflow said how many; NaN if not. */
  #length = Number.NaN

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
    this.#length = Number(headers['content-length'] ?? Number.NaN)
    const own = this.#response.req.complete ? addHeaders : [...addHeaders, ...LAST]
    this.#response.writeHead(status, responseHeaders(headers, own))
  }

  onBodySent(chunk: Buffer): void {
    notePassed(chunk.length)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    // With nothing undici only makes its parser go on after a pause.
    if (chunk.length === 0) return
    this.#bytesOut += chunk.length
    if (this.#bytesOut !== this.#length) {
      this.#bursts ??= new Bursts(this.#response)
      this.#bursts.add(chunk, controller)
      return
    }
    // With the last bytes at hand the answer ends at once: one write to the socket instead of two.
    this.#bursts?.write(controller)
    endWith(this.#response, chunk)
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    this.#bursts?.write(controller)
    if (!this.#response.writableEnded) this.#response.end()
    this.#resolve({ status: this.#status, bytesOut: this.#bytesOut })
  }

  onResponseError(_controller: Dispatcher.DispatchController, fault: Error): void {
    if (!this.#response.headersSent && !this.#response.destroyed) {
      this.#reject(this.#options.asFault(fault))
      return
    }
    this.#response.destroy()
    this.#resolve({ status: this.#status, bytesOut: this.#bytesOut })
  }
}

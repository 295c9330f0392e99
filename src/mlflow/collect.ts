import type { ServerResponse } from 'node:http'
import type { Dispatcher, Pool } from 'undici'
import { GatewayError } from '../errors.ts'
import type { UpstreamResponse } from './upstream.ts'

export type CollectOptions = {
  /** Most bytes of a body. */
  readonly limit: number
  /** Whose going away ends it; without one it is carried through whoever waits for it. */
  readonly client: ServerResponse | undefined
  /** The head of MLflow's answer is there. */
  readonly onHead: () => void
}

/**
 * Reads an answer of MLflow whole, without the stream that undici would make of it: its bytes are wanted at once.
 *
 * @throws The transport's fault; a {@link GatewayError} for an answer beyond the limit and for a client that has gone.
 */
export async function collect(
  pool: Pool,
  options: Dispatcher.DispatchOptions,
  collected: CollectOptions,
): Promise<UpstreamResponse> {
  const { client } = collected
  const collection = new Collection(collected)
  if (client?.destroyed === true) throw clientGone()
  client?.once('close', collection.abandon)
  try {
    pool.dispatch(options, collection)
    return await collection.answer.promise
  } finally {
    client?.off('close', collection.abandon)
  }
}

function clientGone(): GatewayError {
  return new GatewayError('ERR_AMBIGUOUS_REQUEST', 'The client has gone', { reason: 'client_gone' })
}

class Collection implements Dispatcher.DispatchHandler {
  readonly answer = Promise.withResolvers<UpstreamResponse>()
  readonly #options: CollectOptions
  #controller: Dispatcher.DispatchController | undefined
  #isAbandoned = false
  #status = 0
  #headers: UpstreamResponse['headers'] = {}
  readonly #chunks: Buffer[] = []
  #size = 0

  constructor(options: CollectOptions) {
    this.#options = options
  }

  readonly abandon = (): void => {
    this.#isAbandoned = true
    // It may wait for a connection yet; nobody has to wait for that.
    this.answer.reject(clientGone())
    this.#controller?.abort(clientGone())
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#isAbandoned) controller.abort(clientGone())
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: UpstreamResponse['headers'],
  ): void {
    if (status < 200) return
    this.#options.onHead()
    this.#status = status
    this.#headers = headers
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#size += chunk.length
    if (this.#size <= this.#options.limit) {
      this.#chunks.push(chunk)
      return
    }
    controller.abort(
      new GatewayError(
        'ERR_UPSTREAM_INVALID',
        'The answer of the tracking server is too large to be filtered; ask for a smaller page (max_results)',
      ),
    )
  }

  onResponseEnd(): void {
    const [first = Buffer.alloc(0)] = this.#chunks
    const bytes = this.#chunks.length <= 1 ? first : Buffer.concat(this.#chunks, this.#size)
    this.answer.resolve({ status: this.#status, headers: this.#headers, bytes })
  }

  onResponseError(_controller: Dispatcher.DispatchController, fault: Error): void {
    this.answer.reject(fault)
  }
}

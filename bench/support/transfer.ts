import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { performance } from 'node:perf_hooks'
import { Readable } from 'node:stream'
import { artifactPieces, Tally } from './artifact-bytes.ts'
import { RUN_ID } from './fixed-answers.ts'

export type Direction = 'down' | 'up'

type Asking = { readonly url: string; readonly headers: Readonly<Record<string, string>> }

/**
 * Moves an artifact of `size` bytes through a server, in front of `artifact-server.ts`.
 *
 * @returns Seconds by the clock.
 * @throws {Error} if not every byte arrived as it was sent.
 */
export async function transfer(server: Asking, direction: Direction, size: number): Promise<number> {
  const url = `${server.url}/api/2.0/mlflow-artifacts/artifacts/1/${RUN_ID}/artifacts/${size}.bin`
  const started = performance.now()
  const arrived = direction === 'down' ? await download(url, server) : await upload(url, server, size)
  const seconds = (performance.now() - started) / 1000
  const { bytes, sum } = expected(size)
  if (arrived.bytes !== bytes || arrived.sum !== sum) {
    throw new Error(`${arrived.bytes} of ${bytes} bytes arrived, or not as they were sent`)
  }
  return seconds
}

const known = new Map<number, Tally>()

function expected(size: number): Tally {
  const tally = known.get(size) ?? new Tally()
  if (!known.has(size)) for (const piece of artifactPieces(size)) tally.add(piece)
  known.set(size, tally)
  return tally
}

async function download(url: string, { headers }: Asking): Promise<Tally> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    httpRequest(url, { headers, agent: false }, resolve).on('error', reject).end()
  })
  if (answer.statusCode !== 200) throw new Error(`answered ${answer.statusCode}`)
  const tally = new Tally()
  answer.on('data', (piece: Buffer) => tally.add(piece))
  await once(answer, 'end')
  return tally
}

async function upload(url: string, { headers }: Asking, size: number): Promise<Tally> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = { ...headers, 'content-length': size, 'content-type': 'application/octet-stream' }
    const request = httpRequest(url, { method: 'PUT', agent: false, headers: sent }, resolve)
    request.on('error', reject)
    Readable.from(artifactPieces(size), { objectMode: false }).pipe(request)
  })
  let text = ''
  for await (const piece of answer) text += piece
  if (answer.statusCode !== 200) throw new Error(`answered ${answer.statusCode}: ${text.slice(0, 200)}`)
  return JSON.parse(text) as Tally
}

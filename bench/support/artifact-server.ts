/**
 * Stands where MLflow would for large bodies: `GET …?bytes=N` sends N bytes, `PUT` says how many came and their sum, any
 * other path is answered as by the fixed upstream. `node bench/support/artifact-server.ts PORT`
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { artifactPieces, Tally } from './artifact-bytes.ts'
import { ANSWERS, FIXED_ANSWER } from './fixed-answers.ts'

createServer((request, response) => {
  const { pathname } = new URL(request.url ?? '/', 'http://upstream')
  if (request.method === 'PUT') return take(request, response)
  const size = /\/(\d+)\.bin$/.exec(pathname)?.[1]
  if (size !== undefined) return send(Number(size), response)
  response.setHeader('content-type', 'application/json')
  response.end(ANSWERS[pathname] ?? FIXED_ANSWER)
}).listen(Number(process.argv[2]), '127.0.0.1')

function take(request: IncomingMessage, response: ServerResponse): void {
  const tally = new Tally()
  request.on('data', (piece: Buffer) => tally.add(piece))
  request.on('end', () => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(tally))
  })
}

function send(size: number, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': size })
  Readable.from(artifactPieces(size), { objectMode: false }).pipe(response)
}

import { createHash, type Hash } from 'node:crypto'
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { ACCOUNTS, type Deployment, startDeployment } from '../support/deployment.ts'
import type { AccountName } from '../support/issuer.ts'
import { type RunningMlflow, startMlflow } from '../support/mlflow.ts'

const MIB = 2 ** 20
const SIZE = 1024 * MIB
const ALLOWED_GROWTH_MIB = 64

let mlflow: RunningMlflow
let meter: Meter
let deployment: Deployment
const tokens = new Map<AccountName, string>()
const seeded = { experimentId: '', runId: '' }

beforeAll(async () => {
  mlflow = await startMlflow()
  meter = await startMeter(mlflow.port)
  deployment = await startDeployment({ upstreamUrl: meter.url, env: { AUDIT_STDOUT: 'false' } })
  for (const name of ACCOUNTS) {
    await deployment.signIn(name)
    tokens.set(name, await deployment.createToken(name))
  }
  const { experiment_id } = await call('experiments/create', { name: 'alpha/large' })
  const { run } = await call('runs/create', { experiment_id })
  Object.assign(seeded, { experimentId: experiment_id, runId: run.info.run_id })
})

afterAll(async () => {
  await deployment.stop()
  await meter.stop()
  await mlflow.stop()
})

type Meter = { readonly url: string; readonly bodyBytes: () => number; readonly stop: () => Promise<void> }

/** Passes everything on to MLflow as it comes and counts what bodies brought: what the gateway let through. */
async function startMeter(port: number): Promise<Meter> {
  let bodyBytes = 0
  const server: Server = createServer((incoming, outgoing) => {
    const { method, url: path, headers } = incoming
    const onward = httpRequest({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    onward.on('error', () => outgoing.destroy())
    incoming.on('data', (chunk: Buffer) => {
      bodyBytes += chunk.length
    })
    incoming.pipe(onward)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bodyBytes: () => bodyBytes,
    stop: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

async function call(path: string, body: unknown) {
  const response = await fetch(`${deployment.gateway.url}/api/2.0/mlflow/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tokens.get('editor')}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return (await response.json()) as { experiment_id: string; run: { info: { run_id: string } } }
}

const pathOf = (name: string) =>
  `/api/2.0/mlflow-artifacts/artifacts/${seeded.experimentId}/${seeded.runId}/artifacts/${name}`

/** The same bytes each time, never all of them in memory; `hash` sees them pass. */
function* generate(size: number, hash: Hash): Generator<Buffer> {
  const chunk = Buffer.alloc(256 * 1024)
  for (let sent = 0; sent < size; sent += chunk.length) {
    chunk.writeUInt32BE(sent / chunk.length, 0)
    const piece = Buffer.from(chunk)
    hash.update(piece)
    yield piece
  }
}

function upload(name: string, hash: Hash): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const request = httpRequest(
    deployment.gateway.url + pathOf(name),
    {
      method: 'PUT',
      headers: { authorization: `Bearer ${tokens.get('editor')}`, 'content-length': SIZE },
    },
    (answer) => answer.resume().on('end', () => resolve(answer.statusCode ?? 0)),
  )
  request.on('error', reject)
  Readable.from(generate(SIZE, hash), { objectMode: false }).pipe(request)
  return promise
}

async function download(
  name: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; length: number; digest: string }> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    httpRequest(
      deployment.gateway.url + pathOf(name),
      { headers: { authorization: `Bearer ${tokens.get('reader')}`, ...headers } },
      resolve,
    )
      .on('error', reject)
      .end()
  })
  const hash = createHash('sha256')
  let length = 0
  for await (const chunk of answer) {
    length += (chunk as Buffer).length
    hash.update(chunk as Buffer)
  }
  return { status: answer.statusCode ?? 0, length, digest: hash.digest('hex') }
}

/** The most the gateway's resident memory grows while `work` runs, in MiB. */
async function growth<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly grownMiB: number }> {
  const before = deployment.gateway.residentMiB()
  let peak = before
  const timer = setInterval(() => {
    peak = Math.max(peak, deployment.gateway.residentMiB())
  }, 20)
  try {
    return { result: await work(), grownMiB: peak - before }
  } finally {
    clearInterval(timer)
  }
}

describe('field report 55: an artifact of 1 GiB', () => {
  const sent = createHash('sha256')

  test('goes up', async () => {
    const { result, grownMiB } = await growth(() => upload('large.bin', sent))
    expect(result).toBe(200)
    expect(grownMiB).toBeLessThanOrEqual(ALLOWED_GROWTH_MIB)
  })

  test('and comes down the same', async () => {
    const { result, grownMiB } = await growth(() => download('large.bin'))
    expect(result).toEqual({ status: 200, length: SIZE, digest: sent.digest('hex') })
    expect(grownMiB).toBeLessThanOrEqual(ALLOWED_GROWTH_MIB)
  })

  test('field report 58: ten bytes from its middle', async () => {
    const { status, length } = await download('large.bin', { range: 'bytes=536870912-536870921' })
    expect({ status, length }).toEqual({ status: 206, length: 10 })
  })

  test('a slow reader does not make the gateway take the rest into memory', async () => {
    const { grownMiB } = await growth(async () => {
      const socket = connect(deployment.gateway.port, '127.0.0.1')
      socket.write(
        `GET ${pathOf('large.bin')} HTTP/1.1\r\nHost: 127.0.0.1:${deployment.gateway.port}\r\n` +
          `Authorization: Bearer ${tokens.get('reader')}\r\n\r\n`,
      )
      await new Promise((resolve) => socket.once('data', resolve))
      socket.pause()
      await new Promise((resolve) => setTimeout(resolve, 1500))
      socket.destroy()
    })
    expect(grownMiB).toBeLessThanOrEqual(ALLOWED_GROWTH_MIB)
  })
})

describe('field report 55: a large upload without the right is refused before it was read', () => {
  it.each([
    ['reader', 403, undefined],
    ['outsider', 403, undefined],
    ['nobody', 401, undefined],
    // Node's client, curl and others ask first when told to.
    ['reader', 403, '100-continue'],
  ] as const)('%s: %i (Expect: %s)', async (who, expected, expectation) => {
    const before = meter.bodyBytes()
    // Announced are 4 GiB; of those it gets no more than this before it has to answer.
    const status = await answerTo(tokens.get(who as AccountName), { expectation, sent: MIB / 2 })
    expect(status).toBe(expected)
    expect(meter.bodyBytes() - before).toBe(0)
  })

  test('the gateway goes on serving afterwards', async () => {
    const response = await fetch(
      `${deployment.gateway.url}/api/2.0/mlflow/experiments/search?max_results=1`,
      {
        headers: { authorization: `Bearer ${tokens.get('reader')}` },
      },
    )
    expect(response.status).toBe(200)
  })
})

type Push = { readonly expectation: string | undefined; readonly sent: number }

/** The status that comes while most of the body has not been sent, NaN if the connection ends without one. */
async function answerTo(token: string | undefined, { expectation, sent }: Push): Promise<number> {
  const socket = connect(deployment.gateway.port, '127.0.0.1')
  const head = [
    `PUT ${pathOf('refused.bin')} HTTP/1.1`,
    `Host: 127.0.0.1:${deployment.gateway.port}`,
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
    ...(expectation === undefined ? [] : [`Expect: ${expectation}`]),
    `Content-Length: ${4 * 1024 * MIB}`,
  ]
  socket.write(`${head.join('\r\n')}\r\n\r\n`)
  if (expectation === undefined) socket.write(Buffer.alloc(sent))
  let text = ''
  await new Promise<void>((resolve) => {
    socket.once('data', (chunk: Buffer) => {
      text = chunk.toString('latin1')
      resolve()
    })
    // Being cut off with bytes still on their way is what may happen to whoever does not wait for the answer.
    socket.once('error', () => resolve()).once('close', () => resolve())
  })
  socket.destroy()
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1])
}

import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

const KIB = 1024
const GIB = 2 ** 30

type Push = {
  readonly status: number
  readonly sent: number
  readonly reset: boolean
  readonly tookMs: number
}

/** Uploads as scripts do: writes on until the connection ends, and only then looks whether there was an answer. */
async function push(announced: number, available: number): Promise<Push> {
  const socket = connect(gateway.port, '127.0.0.1')
  const start = performance.now()
  let text = ''
  let reset = false
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
  })
  socket.on('error', () => {
    reset = true
  })
  const target = `/api/2.0/mlflow-artifacts/artifacts/1/${'a'.repeat(32)}/artifacts/x`
  const head = [
    `PUT ${target} HTTP/1.1`,
    `Host: 127.0.0.1:${gateway.port}`,
    `Authorization: Bearer ${gateway.members.reader.token}`,
    `Content-Length: ${announced}`,
    'Connection: close',
  ]
  socket.write(`${head.join('\r\n')}\r\n\r\n`)
  const piece = Buffer.alloc(64 * KIB)
  const writeOn = (left: number): void => {
    if (left <= 0 || socket.destroyed) return
    socket.write(piece.subarray(0, Math.min(left, piece.length)), () => writeOn(left - piece.length))
  }
  writeOn(available)
  await new Promise((resolve) => socket.once('close', resolve))
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1])
  return { status, sent: socket.bytesWritten, reset, tookMs: performance.now() - start }
}

describe('an upload that is refused', () => {
  it.each([1, 64 * KIB, 400 * KIB])('of %d bytes ends with the reason and without a reset', async (size) => {
    for (let time = 0; time < 10; time += 1) {
      const { status, reset } = await push(size, size)
      expect([status, reset]).toEqual([403, false])
    }
    expect(gateway.forwarded()).toEqual([])
  })

  it('of 4 GiB gets its answer while it is being sent, and is cut off after a second', async () => {
    const { status, sent, tookMs } = await push(4 * GIB, 4 * GIB)
    expect(status).toBe(403)
    // The rest lies in the buffers of the sockets in between.
    expect(sent).toBeLessThan(16 * 2 ** 20)
    expect(tookMs).toBeLessThan(5000)
    expect(gateway.forwarded()).toEqual([])
  })

  it('that stops half-way does not hold its connection', async () => {
    const { status, tookMs } = await push(GIB, 10 * KIB)
    expect(status).toBe(403)
    expect(tookMs).toBeLessThan(5000)
  })
})

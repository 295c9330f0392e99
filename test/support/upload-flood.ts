import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { parentPort, Worker, workerData } from 'node:worker_threads'

export type UploadFlood = {
  readonly port: number
  /** Path and token of each upload; all of them begin at once. */
  readonly uploads: readonly { readonly path: string; readonly token: string }[]
  /** Bytes of each. */
  readonly size: number
}

/** What became of each upload: the answer's status, 0 if there was none, and how much of it was sent. */
export type UploadEnd = { readonly status: number; readonly sent: number }

/** Uploads everything at once from a thread of its own, so that who measures something else is not held up by it. */
export function floodWithUploads(flood: UploadFlood): Promise<readonly UploadEnd[]> {
  const worker = new Worker(new URL(import.meta.url), { workerData: flood })
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}

const PART = Buffer.alloc(256 * 1024, 'x')

/** Some at a time: a connection that finds the queue full tries again a second later, or many. */
async function dialAll(port: number, count: number): Promise<readonly Socket[]> {
  const sockets: Socket[] = []
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(100, count - sockets.length) }, () =>
      connect(port, '127.0.0.1'),
    )
    await Promise.all(some.map((socket) => once(socket, 'connect')))
    sockets.push(...some)
  }
  return sockets
}

function upload(
  socket: Socket,
  { path, token }: UploadFlood['uploads'][number],
  size: number,
): Promise<UploadEnd> {
  let [status, sent] = [0, 0]
  const send = () => {
    while (sent < size && status === 0 && !socket.destroyed) {
      const part = PART.subarray(0, Math.min(PART.length, size - sent))
      sent += part.length
      if (!socket.write(part)) return
    }
  }
  socket.write(
    `PUT ${path} HTTP/1.1\r\nHost: 127.0.0.1:${socket.remotePort}\r\nAuthorization: Bearer ${token}\r\n`,
  )
  socket.write(`Content-Length: ${size}\r\n\r\n`)
  send()
  socket.on('drain', send)
  socket.on('data', (chunk: Buffer) => {
    status = Number(/^HTTP\/1\.1 (\d{3})/.exec(chunk.toString('latin1'))?.[1] ?? status)
    socket.destroy()
  })
  socket.on('error', () => {})
  return new Promise((resolve) => socket.once('close', () => resolve({ status, sent })))
}

if (parentPort !== null && workerData !== null) {
  const { port, uploads, size } = workerData as UploadFlood
  const sockets = await dialAll(port, uploads.length)
  const ends = sockets.flatMap((socket, index) => {
    const each = uploads[index]
    return each === undefined ? [] : [upload(socket, each, size)]
  })
  parentPort.postMessage(await Promise.all(ends))
}

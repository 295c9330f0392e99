import { once } from 'node:events'
import type { Socket } from 'node:net'

/** How a connection went whose other end was sent more than it should take. */
export type Flooded = {
  /** The status line that came first, if one came. */
  readonly answer: string | undefined
  /** Bytes that were taken off our hands before the connection ended. */
  readonly sent: number
}

/**
 * Sends a head, then `part` again and again, as fast as it is taken, until the other side ends the connection or
 * `most` bytes are sent. The connection is closed then.
 */
export async function flood(socket: Socket, head: string, part: Buffer, most: number): Promise<Flooded> {
  let answer: string | undefined
  socket.once('data', (chunk: Buffer) => {
    answer = /^HTTP\/1\.1 [^\r]*/.exec(chunk.toString('latin1'))?.[0]
    socket.resume()
  })
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  await once(socket, 'connect')
  socket.write(head, 'latin1')
  let sent = 0
  while (sent < most && !socket.destroyed) {
    if (!socket.write(part)) await Promise.race([once(socket, 'drain').catch(() => {}), ended])
    sent += part.length
  }
  // What was refused is answered and closed by itself; what was taken whole is left by us.
  await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 2000))])
  socket.destroy()
  return { answer, sent }
}

/** Sends a head, and then `dribble` every half second until the other side ends the connection. @returns Seconds until it did. */
export function hold(socket: Socket, head: string, dribble = ''): Promise<number> {
  const since = performance.now()
  socket.once('connect', () => socket.write(head, 'latin1'))
  const timer = dribble === '' ? undefined : setInterval(() => socket.write(dribble), 500)
  return new Promise((resolve) =>
    socket.once('close', () => {
      clearInterval(timer)
      resolve((performance.now() - since) / 1000)
    }),
  )
}

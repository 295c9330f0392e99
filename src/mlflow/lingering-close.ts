import type { IncomingMessage } from 'node:http'

/** Of a body that nobody wants, this much is read and thrown away: well below the mebibyte that a refusal may cost. */
const DISCARDED_BYTES = 512 * 1024
const LINGER_MS = 250

/**
 * Has the connection closed after the answer in a way that lets the client read it (RFC 9112 §9.6). Closed at once,
 * with bytes of the body still on their way, the connection would be reset, and the client would see a broken upload
 * instead of the reason. So the sending side is closed first, a little of the body is discarded, and the rest follows
 * when the client has finished, or after a moment.
 *
 * Call it before answering a request whose body is not read.
 */
export function lingerBeforeClosing(request: IncomingMessage): void {
  const { socket } = request
  let discarded = 0
  request.on('data', (chunk: Buffer) => {
    discarded += chunk.length
    if (discarded > DISCARDED_BYTES) request.pause()
  })
  // Node calls this once the last answer of a connection is out.
  socket.destroySoon = () => {
    socket.end()
    if (request.complete) {
      socket.destroy()
      return
    }
    const timer = setTimeout(() => socket.destroy(), LINGER_MS)
    request.once('end', () => socket.destroy())
    socket.once('close', () => clearTimeout(timer))
  }
}

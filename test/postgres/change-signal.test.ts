import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { listenForChanges } from '../../src/store/postgres-listen.ts'

/** AuthenticationOk and ReadyForQuery (PostgreSQL 15 documentation, 55.7). */
const WELCOME = Buffer.from([...[0x52, 0, 0, 0, 8, 0, 0, 0, 0], ...[0x5a, 0, 0, 0, 5, 0x49]])

it('a server that lets in and then says nothing more is left, and tried again', async () => {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined).once('data', () => socket.write(WELCOME))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const signal = listenForChanges({ host: '127.0.0.1', port, user: 'u', database: 'd' }, () => undefined)
  onTestFinished(() => {
    signal.stop()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  await expect.poll(() => sockets.length, { timeout: 15_000 }).toBeGreaterThan(1)
  expect(signal.isLive()).toBe(false)
})

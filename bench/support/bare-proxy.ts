/**
 * What the gateway is compared with: Fastify and @fastify/reply-from with nothing on top, or (`--jwt`) with one
 * `jwtVerify` per request, which is the least that a proxy without a cache has to do. Prints its port.
 *
 * node bench/support/bare-proxy.ts UPSTREAM_URL [--jwt SPKI_FILE]
 */
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { fastifyReplyFrom } from '@fastify/reply-from'
import { fastify } from 'fastify'
import { importSPKI, jwtVerify } from 'jose'

const [upstream = '', option, keyFile = ''] = process.argv.slice(2)
const app = fastify()
await app.register(fastifyReplyFrom, { base: upstream, undici: { connections: 64, pipelining: 1 } })

if (option === '--jwt') {
  const key = await importSPKI(readFileSync(keyFile, 'utf8'), 'ES256')
  app.addHook('onRequest', async (request) => {
    const token = request.headers.authorization?.replace(/^Bearer /, '') ?? ''
    await jwtVerify(token, key, { algorithms: ['ES256'], audience: 'bench' })
  })
}
// As @fastify/http-proxy does: bodies go on as they come.
app.removeAllContentTypeParsers()
app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
app.all('/*', (request, reply) => {
  reply.from(request.url)
})
await app.listen({ host: '127.0.0.1', port: 0 })
process.stdout.write(`${(app.server.address() as AddressInfo).port}\n`)

import Fastify from 'fastify'
import { describe, expect, it } from 'vitest'
import { audit, eventOf } from '../../plugins/audit.ts'
import { clientAddress } from '../../plugins/client-address.ts'
import type { AuditEvent } from '../../src/audit/event.ts'
import { programLog } from '../../src/audit/program-log.ts'
import { createRequestIds } from '../../src/audit/request-id.ts'
import { createAuditSink } from '../../src/audit/sink.ts'
import { createClientAddresses } from '../../src/network/client-address.ts'
import { decision } from '../audit/event-examples.ts'
import { testChain } from '../audit/test-chain.ts'

const ADDRESSES = createClientAddresses({ isTrusted: () => false, header: 'X-Forwarded-For' })

describe('app.audit', () => {
  it('records to the sink and the observers, and flushes when the app closes', async () => {
    const stored: AuditEvent[] = []
    const observed: AuditEvent[] = []
    const sink = await createAuditSink({
      chain: testChain(),
      store: { append: async (events) => void stored.push(...events.map(({ event }) => event)) },
    })
    const app = Fastify()
    await app.register(clientAddress, { addresses: ADDRESSES })
    await app.register(audit, { sink, observers: [(event) => void observed.push(event)] })
    app.audit.record(decision())
    expect([stored.length, observed.length]).toEqual([0, 1])
    await app.close()
    expect(stored).toEqual([decision()])
  })
})

describe('what is in no log', () => {
  const SECRETS = ['c0de-in-query', 's3cret-cookie', 'b3arer-token', 'p4th-value', 'b0dy-value', 'f0rged-id']

  it('neither the program’s log nor the record holds what a caller sent', async () => {
    const lines: string[] = []
    const sink = await createAuditSink({
      chain: testChain(),
      store: { append: async (events) => void lines.push(JSON.stringify(events)) },
    })
    const app = Fastify({
      genReqId: createRequestIds(),
      logger: { ...programLog('trace'), stream: { write: (line: string) => void lines.push(line) } },
    })
    await app.register(clientAddress, { addresses: ADDRESSES })
    await app.register(audit, { sink })
    app.post('/auth/things/:id', async (request, reply) => {
      request.log.info({ req: request, res: reply }, 'handled')
      app.audit.record(eventOf(request, reply, { event: 'token_created', effect: 'allow', status: 200 }))
      throw new Error('fetch of https://op.example/token?code=c0de-in-query failed', {
        cause: Object.assign(new Error('Bearer b3arer-token'), { request: { body: 'b0dy-value' } }),
      })
    })
    await app.inject({
      method: 'POST',
      url: '/auth/things/p4th-value?code=c0de-in-query',
      headers: {
        cookie: 'gateway_session=s3cret-cookie',
        authorization: 'Bearer b3arer-token',
        'x-request-id': 'f0rged-id',
      },
      payload: { name: 'b0dy-value' },
    })
    await app.close()
    const text = lines.join('\n')
    expect(text).toContain('"path":"/auth/things/:id"')
    expect(text).toContain('request completed')
    // The program's log keeps the path, which may name a resource; the record keeps the template only.
    for (const secret of SECRETS.filter((secret) => secret !== 'p4th-value'))
      expect(text).not.toContain(secret)
    expect(lines.filter((line) => line.includes('token_created')).join()).not.toContain('p4th-value')
  })
})

/**
 * The attack: to make the gateway keep something for every request of a stranger (a session row, a cache entry, a line
 * in a queue), or to hold its connections, until nothing is left for the others. Strangers leave a line in the record,
 * which is bounded by its age, and nothing else; everything kept in memory has a size it does not outgrow.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuditSink } from '../../src/audit/sink.ts'
import { isGatewayError } from '../../src/errors.ts'
import { createBearerVerifier } from '../../src/identity/bearer-credential.ts'
import { createCredentialCache } from '../../src/identity/credential-cache.ts'
import { readWholeBody } from '../../src/mlflow/body.ts'
import { createLookup } from '../../src/mlflow/lookup.ts'
import { decision } from '../audit/event-examples.ts'
import { testChain } from '../audit/test-chain.ts'
import { rawRequest } from '../support/raw-request.ts'
import { bytesOf } from '../support/spoken-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

/** Rows of every table but the record and the program's own. */
async function rowCounts(): Promise<Record<string, number>> {
  const kept = (await gateway.database.tables()).filter((name) => !name.startsWith('audit_'))
  const count = async (table: string) => (await gateway.database.query(`select 1 from ${table}`)).length
  return Object.fromEntries(
    await Promise.all(kept.map(async (table) => [table, await count(table)] as const)),
  )
}

const forged = (index: number) =>
  new SignJWT({ sub: `nobody-${index}`, jti: `${index}` })
    .setProtectedHeader({
      alg: 'HS256',
      typ: index % 2 === 0 ? 'at+jwt' : 'session+jwt',
      kid: `kid-${index}`,
    })
    .setIssuer(index % 3 === 0 ? 'https://elsewhere.invalid' : gateway.url)
    .setAudience(gateway.url)
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode('not the key of anybody, but long enough'))

describe('strangers', () => {
  it('leave no row but lines in the record', async () => {
    const before = await rowCounts()
    expect(Object.keys(before)).toEqual(
      expect.arrayContaining(['users', 'sessions', 'access_tokens', 'changes']),
    )
    for (let index = 0; index < 30; index++) {
      const token = await forged(index)
      for (const headers of [
        [`Authorization: Bearer ${token}`],
        [`Authorization: Basic ${Buffer.from(`user-${index}:${token}`).toString('base64')}`],
        [`Cookie: gateway_token=${token}`],
        [`Cookie: gateway_session=${`${index}`.padEnd(40, 'x')}.${`${index}`.padEnd(43, 'y')}`],
        [],
      ]) {
        const { status } = await gateway.ask({
          target: '/api/2.0/mlflow/experiments/search?max_results=1',
          headers,
        })
        expect(status).toBe(401)
      }
      for (const ask of [
        { target: `/nope/${index}` },
        { target: `/auth/login?return_to=/${index}`, headers: ['Sec-Fetch-Mode: navigate'] },
        { target: `/auth/callback/oidc?code=${index}&state=${index}` },
        { method: 'POST', target: '/auth/logout' },
        { method: 'POST', target: '/nope', json: { index } },
      ]) {
        await rawRequest(gateway.port, bytesOf(ask, gateway.port, gateway.members))
      }
    }
    expect(await rowCounts()).toEqual(before)
  })

  it('get no cookie for being refused', async () => {
    for (const target of ['/', '/api/2.0/mlflow/runs/get', '/nope', '/static-files/x', '/health']) {
      expect((await gateway.ask({ target })).headers['set-cookie']).toBeUndefined()
    }
  })

  it('with many bad tokens leave none of them in memory, nor cost a look at the store', async () => {
    const cache = createCredentialCache({ now: () => 0 })
    const asked: string[] = []
    const verify = createBearerVerifier({
      issuer: gateway.url,
      cache,
      accessTokens: { verify: () => Promise.reject(new Error('bad signature')) },
      tokens: {
        get: async (jti) => {
          asked.push(jti)
          return undefined
        },
      },
      providers: [],
      people: gateway.store.people,
      directory: { refresh: async () => {} },
    })
    for (let index = 0; index < 300; index++) {
      await expect(verify(`Bearer ${await forged(index)}`)).rejects.toThrow()
    }
    expect([cache.size, asked]).toEqual([0, []])
  })
})

describe('memory that has a size', () => {
  it('of verified credentials', () => {
    const cache = createCredentialCache({ now: () => 0, max: 10 })
    for (let index = 0; index < 1000; index++) {
      const credential = {
        kind: 'access_token',
        form: 'bearer',
        id: `${index % 7}`,
        scope: [],
        expiresAt: 9,
      } as const
      cache.put(`${index}`, { userId: 'u', credential }, cache.version())
    }
    expect(cache.size).toBe(10)
  })

  it("of who owns what, and nothing of what is nobody's", async () => {
    const known = {
      status: 200,
      body: (id: string) => ({ run: { info: { run_id: id, experiment_id: '1' } } }),
    }
    const getJson = async (target: string) => {
      const id = new URL(target, 'http://x').searchParams.get('run_id') ?? ''
      return id.startsWith('none')
        ? { status: 404, body: {} }
        : { status: known.status, body: known.body(id) }
    }
    const lookup = createLookup({ upstream: { getJson }, size: 10 })
    for (let index = 0; index < 200; index++) await lookup.experimentOfRun(`run${index}`)
    expect(lookup.sizes()['runs']).toBe(10)
    lookup.clear()
    for (let index = 0; index < 200; index++) await lookup.experimentOfRun(`none${index}`)
    expect(lookup.sizes()['runs']).toBe(0)
  })

  it('of the record: what does not fit is counted, not kept', async () => {
    const sink = await createAuditSink({
      chain: testChain(),
      store: { append: () => new Promise(() => {}) },
      queueLimit: 100,
    })
    for (let index = 0; index < 1000; index++) sink.record(decision())
    expect(sink.dropped()).toBe(900)
  })
})

describe('a client that sends its body byte by byte', () => {
  it('loses its connection in the end', async () => {
    const faults: unknown[] = []
    const server = createServer((request, response) => {
      readWholeBody(request, 1000, 0.2).then(
        () => response.end(),
        (fault) => faults.push(fault),
      )
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n')
    const trickle = setInterval(() => socket.write('x'), 20)
    // Not `once`, which takes a reset for a failure of ours.
    await new Promise((resolve) => socket.once('close', resolve))
    clearInterval(trickle)
    server.close()
    // The client may hear of it first.
    await expect
      .poll(() => faults.map((fault) => isGatewayError(fault, 'ERR_AMBIGUOUS_REQUEST')))
      .toEqual([true])
  })
})

/**
 * The attack, or the accident: MLflow goes away in the middle, comes back, or answers in between; or the client does.
 * Whoever waits learns that there is no answer and never takes a part for the whole; nothing has to be restarted; and
 * what nobody waits for any more is not worked on, unless it has to be brought to its end.
 */
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { RUN_A } from '../support/mlflow-stand-in.ts'
import { rawExchange } from '../support/raw-request.ts'
import { type Ask, bytesOf } from '../support/spoken-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

const API = '/api/2.0/mlflow'
const HISTORY = `${API}/metrics/get-history`
const READ: Ask = { target: `${HISTORY}?run_id=${RUN_A}`, as: 'reader' }
const SEARCH: Ask = { target: `${API}/experiments/search?max_results=5`, as: 'reader' }
const FILE: Ask = {
  target: `/api/2.0/mlflow-artifacts/artifacts/1/${RUN_A}/artifacts/x`,
  as: 'reader',
}

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway({ env: { UPSTREAM_TIMEOUT: '2' } })
})
afterAll(() => gateway.stop())
beforeEach(() => {
  gateway.script({})
  gateway.upstream.forget()
})

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Sends a request and leaves the answer to the test; `socket.destroy()` is a client that goes away. */
function start(ask: Ask): Socket {
  const socket = connect(gateway.port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write(bytesOf(ask, gateway.port, gateway.members))
  return socket
}

describe('MLflow', () => {
  const OWNERS = {
    run: { info: { run_id: RUN_A, experiment_id: '1' } },
    experiment: { experiment_id: '1', name: 'alpha/one', artifact_location: 'mlflow-artifacts:/1' },
  }
  const answerAll: RequestListener = (_request, response) => response.end(JSON.stringify(OWNERS))

  async function listen(server: Server, port = 0): Promise<number> {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  async function close(server: Server): Promise<void> {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }

  it('that is not there is waited for by nobody; once it is back it is used, without a restart', async () => {
    const first = createServer(answerAll)
    const port = await listen(first)
    const behind = await startTestGateway({ env: { UPSTREAM_URL: `http://127.0.0.1:${port}` } })
    try {
      expect((await behind.ask(READ)).line).toBe('200 allow')
      await close(first)
      for (const ask of [READ, SEARCH, FILE, { target: '/health' }, { target: '/', as: 'reader' } as Ask]) {
        const refused = await behind.ask(ask)
        expect(refused.line).toBe('502 TEMPORARILY_UNAVAILABLE ERR_UPSTREAM_UNREACHABLE')
        expect(`${refused.text}${JSON.stringify(refused.rawHeaders)}`).not.toContain(String(port))
      }
      expect((await behind.ask({ target: '/healthz' })).status).toBe(200)
      const again = createServer(answerAll)
      await listen(again, port)
      for (const ask of [READ, FILE]) expect((await behind.ask(ask)).line).toBe('200 allow')
      await close(again)
    } finally {
      await behind.stop()
    }
  })

  it.each([
    ['of known length', { 'content-length': '100' }],
    ['in chunks', {}],
  ])('that dies in an answer %s leaves a broken one', async (_, headers) => {
    gateway.script({
      [`GET ${HISTORY}`]: (_request, response) => {
        response.writeHead(200, headers)
        response.write('{"metrics":[')
        setTimeout(() => response.socket?.resetAndDestroy(), 30)
        return undefined
      },
    })
    const { responses, received, closed } = await rawExchange(
      gateway.port,
      bytesOf(READ, gateway.port, gateway.members),
    )
    expect(received.toString()).toContain('{"metrics":[')
    expect(received.toString()).not.toContain('\r\n0\r\n')
    expect([responses, closed]).toEqual([[], true])
  })

  it('that dies in a list, which is read whole, has answered nothing', async () => {
    gateway.script({
      [`GET ${API}/experiments/search`]: (_request, response) => {
        response.writeHead(200, {})
        response.write('{"experiments":[')
        setTimeout(() => response.socket?.resetAndDestroy(), 30)
        return undefined
      },
    })
    expect((await gateway.ask(SEARCH)).line).toBe('502 TEMPORARILY_UNAVAILABLE ERR_UPSTREAM_UNREACHABLE')
  })

  it('that ends a list never is heard out only so far', async () => {
    let ended = false
    gateway.script({
      [`GET ${API}/experiments/search`]: (_request, response) => {
        const chunk = Buffer.alloc(2 ** 20, ' ')
        const more = () => {
          while (!response.destroyed && response.write(chunk));
        }
        response.on('drain', more).on('close', () => {
          ended = true
        })
        more()
        return undefined
      },
    })
    const refused = await gateway.ask(SEARCH)
    expect(refused.line).toBe('502 INTERNAL_ERROR ERR_UPSTREAM_INVALID')
    expect(refused.message).toContain('too large to be filtered')
    await expect.poll(() => ended).toBe(true)
  })

  it.each([
    ['HTTP/1.1 102 Processing\r\nSet-Cookie: a=b', 200],
    ['HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\nSet-Cookie: a=b', 200],
    ['HTTP/1.1 100 Continue', 502],
    ['HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade', 502],
  ])('that says %j in between: that does not leave', async (interim, status) => {
    gateway.script({
      [`GET ${HISTORY}`]: (_request, response) => {
        response.socket?.end(`${interim}\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}`)
        return undefined
      },
    })
    const headers = ['Connection: upgrade', 'Upgrade: websocket']
    const bytes = bytesOf({ ...READ, headers }, gateway.port, gateway.members)
    const { responses, received } = await rawExchange(gateway.port, bytes)
    expect(responses.map((response) => response.status)).toEqual([status])
    expect(received.toString()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(received.toString()).not.toMatch(/set-cookie|link:|upgrade/i)
  })
})

describe('a client that goes away', () => {
  it.each([
    ['a read', READ, HISTORY],
    ['a file', FILE, FILE.target],
    ['a list', SEARCH, `${API}/experiments/search`],
    [
      'a query',
      {
        method: 'POST',
        target: '/graphql',
        as: 'reader',
        json: { query: `{mlflowGetRun(input:{runId:"${RUN_A}"}){run{modelVersions{name}}}}` },
      } satisfies Ask,
      '/graphql',
    ],
  ])('while MLflow thinks about %s lets it stop thinking', async (_, ask, path) => {
    const ended: string[] = []
    gateway.script({
      [`${'method' in ask ? ask.method : 'GET'} ${path}`]: (_request, response) => {
        response.on('close', () => ended.push(path))
        return undefined
      },
    })
    const socket = start(ask)
    await expect.poll(() => gateway.forwarded().length).toBe(1)
    socket.destroy()
    await expect.poll(() => ended).toEqual([path])
  })

  it('has no further pages read for it', async () => {
    gateway.script({
      [`GET ${API}/experiments/search`]: async () => {
        await pause(30)
        return { body: { experiments: [], next_page_token: 'more' } }
      },
    })
    const before = gateway.events.length
    const socket = start(SEARCH)
    await expect.poll(() => gateway.forwarded().length).toBeGreaterThan(1)
    socket.destroy()
    await expect.poll(() => gateway.events.length).toBe(before + 1)
    expect(gateway.events.at(-1)).toMatchObject({ effect: 'deny', reason: 'client_gone' })
    const asked = gateway.forwarded().length
    await pause(150)
    expect(gateway.forwarded().length).toBe(asked)
    expect(asked).toBeLessThan(20)
  })

  it('after it had something made is its maker all the same', async () => {
    const created = { experiment_id: '90', name: 'alpha/made', artifact_location: 'mlflow-artifacts:/90' }
    gateway.script({
      [`POST ${API}/experiments/create`]: async () => {
        await pause(100)
        return { body: { experiment_id: '90' } }
      },
      [`GET ${API}/experiments/get`]: { body: { experiment: created } },
    })
    const json = { name: 'alpha/made' }
    const socket = start({ method: 'POST', target: `${API}/experiments/create`, as: 'editor', json })
    await expect.poll(() => gateway.forwarded().length).toBe(1)
    socket.destroy()
    const remove: Ask = { method: 'POST', target: `${API}/experiments/delete`, as: 'editor' }
    const isManager = async () => (await gateway.ask({ ...remove, json: { experiment_id: '90' } })).line
    expect(await isManager()).toBe('403 PERMISSION_DENIED level_too_low')
    await expect.poll(isManager, { timeout: 2000 }).toBe('200 allow')
  })

  it('five hundred times leaves the connections to MLflow usable', async () => {
    gateway.script({ [`GET ${HISTORY}`]: () => undefined })
    for (let index = 0; index < 500; index += 1) {
      const socket = start(READ)
      setTimeout(() => socket.destroy(), 20 + (index % 50))
    }
    await pause(300)
    gateway.script({})
    expect((await gateway.ask(READ)).line).toBe('200 allow')
  })
})

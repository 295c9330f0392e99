import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import type { UpstreamHandler } from '../support/upstream.ts'

const CHAT = '/gateway/mlflow/v1/chat/completions'
const RAW = '/gateway/proxy/alpha-endpoint/v1/chat/completions'

let gateway: TestGateway
beforeAll(async () => {
  // A provider is silent for longer than this.
  gateway = await startTestGateway({ env: { UPSTREAM_TIMEOUT: '1' } })
})
afterAll(() => gateway.stop())

/** Begins a call on a connection of its own; the answer as it comes. */
async function call(path: string): Promise<IncomingMessage> {
  const sent = request({
    ...{ host: '127.0.0.1', port: gateway.port, path, method: 'POST', agent: false },
    headers: { authorization: `Bearer ${gateway.members.admin.token}`, 'content-type': 'application/json' },
  })
  sent.end(JSON.stringify({ model: 'alpha-endpoint', stream: true }))
  const [answer] = await once(sent, 'response')
  return (answer as IncomingMessage).setEncoding('utf8')
}

/** Sends one event at once and another when it is let, as a provider that is thinking. */
function thinking() {
  let end = (): void => undefined
  const left = Promise.withResolvers<boolean>()
  const handler: UpstreamHandler = (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('data: one\n\n')
    response.on('close', () => left.resolve(response.writableFinished))
    end = () => response.end('data: two\n\n')
    return undefined
  }
  return { handler, end: () => end(), left: left.promise }
}

it.each([CHAT, RAW])('an event passes before the next is there: %s', async (path) => {
  const model = thinking()
  gateway.script({ [`POST ${path}`]: model.handler })
  const answer = await call(path)
  expect(answer.headers['content-type']).toBe('text/event-stream')
  const ended = once(answer, 'end')
  expect(await once(answer, 'data')).toEqual(['data: one\n\n'])
  // Longer than UPSTREAM_TIMEOUT, whose clock ticks about once a second.
  await new Promise((resolve) => setTimeout(resolve, 2500))
  const next = once(answer, 'data')
  model.end()
  expect(await next).toEqual(['data: two\n\n'])
  await ended
})

it('MLflow is let go when the client has gone in the middle', async () => {
  const model = thinking()
  gateway.script({ [`POST ${CHAT}`]: model.handler })
  const answer = await call(CHAT)
  await once(answer, 'data')
  answer.destroy()
  expect(await model.left).toBe(false)
})

it.each([
  [CHAT, 200],
  ['/api/3.0/mlflow/gateway/secrets/delete', 504],
])('what is asked of a provider may take its time, nothing else: %s', async (path, expected) => {
  const late: UpstreamHandler = async () => {
    await new Promise((resolve) => setTimeout(resolve, 3000))
    return { body: {} }
  }
  const method = path === CHAT ? 'POST' : 'DELETE'
  gateway.script({ [`${method} ${path}`]: late })
  const ask = { method, target: path, as: 'admin', headers: ['Content-Type: application/json'] } as const
  const body = JSON.stringify(path === CHAT ? { model: 'alpha-endpoint' } : { secret_id: 's-1' })
  expect((await gateway.ask({ ...ask, body })).status).toBe(expected)
})

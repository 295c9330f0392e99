/** `GET /auth/doctor`: to whoever has the gateway's secret it tells how a request arrived; to others there is nothing. */
import { createServer, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createMark, MARK_HEADER, MARK_PATH, type MarkAnswer } from '../../src/doctor/mark.ts'
import { type SoundSetUp, startSoundSetUp } from '../doctor/sound-set-up.ts'
import { SECRET, startTestGateway, type TestGateway } from '../support/test-gateway.ts'

const now = () => Math.floor(Date.now() / 1000)
const mark = createMark(SECRET)

describe('without the secret', () => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway()
  }, 60_000)
  afterAll(() => gateway.stop())

  const changed = (value: string) => value.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))

  const without = ({ text }: { readonly text: string }) => text.replace(/\(request id \w+\)/, '')

  it.each<[string, () => readonly string[]]>([
    ['nothing', () => []],
    ['nonsense', () => [`${MARK_HEADER}: 1.2.3`]],
    [
      'a question of another secret',
      () => [`${MARK_HEADER}: ${createMark('another secret').ask(now()).value}`],
    ],
    ['a question that was changed', () => [`${MARK_HEADER}: ${changed(mark.ask(now()).value)}`]],
    ['a question of an hour ago', () => [`${MARK_HEADER}: ${mark.ask(now() - 3600).value}`]],
    ['two questions', () => [1, 2].map(() => `${MARK_HEADER}: ${mark.ask(now()).value}`)],
  ])('%s is answered as what leads nowhere is', async (_what, headers) => {
    const nowhere = await gateway.ask({ target: '/auth/nowhere', headers: headers() })
    const answer = await gateway.ask({ target: MARK_PATH, headers: headers() })
    expect([answer.line, without(answer), Object.keys(answer.headers)]).toEqual([
      '404 ENDPOINT_NOT_FOUND no_such_route',
      without(nowhere),
      Object.keys(nowhere.headers),
    ])
  })

  it('no answer can be made: each is signed for its question', async () => {
    const question = mark.ask(now())
    const { text, headers } = await gateway.ask({
      target: MARK_PATH,
      headers: [`${MARK_HEADER}: ${question.value}`],
    })
    const [signature = ''] = headers[MARK_HEADER] ?? []
    expect(mark.verify(question.nonce, text, signature)).toBe(true)
    expect(mark.verify(mark.ask(now()).nonce, text, signature)).toBe(false)
    expect(mark.verify(question.nonce, text.replace('127.0.0.1', '127.0.0.2'), signature)).toBe(false)
    expect(JSON.parse(text) as MarkAnswer).toMatchObject({
      peer: '127.0.0.1',
      isTrusted: false,
      client: '127.0.0.1',
    })
  })
})

describe('through a proxy', () => {
  /** Passes requests on as a balancer does, with what it says of the client in place of what came. */
  async function startProxy(
    port: number,
    say: (came: string | undefined) => string | undefined,
  ): Promise<string> {
    const server = createServer((request, response) => {
      const { 'x-forwarded-for': came, ...headers } = request.headers
      const said = say(came === undefined ? undefined : String(came))
      send(
        {
          port,
          host: '127.0.0.1',
          path: request.url,
          headers: { ...headers, ...(said && { 'x-forwarded-for': said }) },
        },
        (answer) => {
          response.writeHead(answer.statusCode ?? 502, answer.headers)
          answer.pipe(response)
        },
      ).end()
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  let sound: SoundSetUp
  beforeAll(async () => {
    sound = await startSoundSetUp({ TRUSTED_PROXIES: 'loopback' })
  }, 60_000)
  afterAll(() => sound.stop())

  it.each<[string, (came: string | undefined) => string | undefined, string]>([
    [
      'appends',
      (came) => `${came}, 203.0.113.9`,
      'ok the proxy 127.0.0.1 is trusted, and says that this machine is 203.0.113.9',
    ],
    [
      'writes it anew',
      () => '203.0.113.9',
      'ok the proxy 127.0.0.1 is trusted, and says that this machine is 203.0.113.9',
    ],
    [
      'lets pass what came',
      (came) => came,
      'warning a client at this machine can claim any address: X-Forwarded-For said 192.0.2.66, and it was believed',
    ],
    [
      'says nothing',
      () => undefined,
      'warning the proxy 127.0.0.1 does not say in X-Forwarded-For for whom it asks',
    ],
    [
      'says nonsense',
      () => 'unknown',
      'warning the proxy 127.0.0.1 sends a header X-Forwarded-For that cannot be read',
    ],
  ])('that %s', async (_what, say, finding) => {
    const PUBLIC_URL = await startProxy(sound.gateway.port, say)
    const result = (await sound.diagnose({ env: { PUBLIC_URL } })).get('public URL: addresses of clients')
    expect(`${result?.level} ${result?.what}`).toBe(finding)
  })
})

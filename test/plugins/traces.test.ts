/** Traces of the gateway's own requests, as a collector on loopback gets them. Nothing is replaced inside. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { mlflowStandIn, RUN_A } from '../support/mlflow-stand-in.ts'
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from '../support/otlp-receiver.ts'
import type { Ask } from '../support/spoken-request.ts'
import { startTestGateway, type TestGateway, type TestGatewaySettings } from '../support/test-gateway.ts'
import { headerValues, startUpstream } from '../support/upstream.ts'

const API_KEY = 's3cret-of-the-collector'
const TRACE = 'f'.repeat(31).padStart(32, '1')
const PARENT = `00-${TRACE}-${'c'.repeat(16)}-01`

const running = new Map<string, Promise<TestGateway>>()
const ENV = () => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
  OTEL_EXPORTER_OTLP_HEADERS: `x-api-key=${API_KEY}`,
  OTEL_RESOURCE_ATTRIBUTES: 'team=ml%20ops',
  METRICS_PORT: '0',
})

let collector: OtlpReceiver
beforeAll(async () => {
  collector = await startOtlpReceiver()
})
afterAll(async () => {
  for (const gateway of running.values()) await (await gateway).stop()
  await collector.stop()
})
afterEach(() => {
  collector.behave(200)
  collector.spans.length = 0
  collector.requests.length = 0
})

/** With these variables on top; one for all tests that want the same. */
function shared(env: Record<string, string> = {}): Promise<TestGateway> {
  const key = JSON.stringify(env)
  const known = running.get(key) ?? startTestGateway({ env: { ...ENV(), ...env } })
  running.set(key, known)
  return known.then((gateway) => {
    gateway.upstream.forget()
    return gateway
  })
}

async function start({ env, ...settings }: TestGatewaySettings = {}): Promise<TestGateway> {
  const gateway = await startTestGateway({
    ...settings,
    env: { ...ENV(), ...env },
  })
  onTestFinished(() => gateway.stop())
  return gateway
}

/** The spans of a request, the server's first, once they are there. */
async function spansOf(gateway: TestGateway, ask: Ask): Promise<readonly ReceivedSpan[]> {
  const { headers } = await gateway.ask(ask)
  const [id] = headers['x-request-id'] ?? []
  const server = await expect
    .poll(() => collector.spans.find((span) => span.attributes['mlflow_gateway.request_id'] === id), {
      ...{ interval: 5, timeout: 5000 },
    })
    .toBeDefined()
    .then(() => collector.spans.find((span) => span.attributes['mlflow_gateway.request_id'] === id))
  const inside = collector.spans.filter(({ traceId }) => traceId === server?.traceId)
  return [server as ReceivedSpan, ...inside.filter((span) => span !== server)]
}

/** The request itself as it reached MLflow: with `traceparent` in them, look-ups are not told from it elsewhere. */
const callOf = ({ upstream }: TestGateway) =>
  upstream.requests.find((request) => headerValues(request, 'x-forwarded-for').length > 0)

const READ: Ask = { target: '/api/2.0/mlflow/experiments/get?experiment_id=1', as: 'editor' }
const LOG: Ask = {
  ...{ method: 'POST', target: '/api/2.0/mlflow/runs/log-metric', as: 'editor' },
  json: { run_id: RUN_A, key: 'k', value: 1 },
}

async function metric(gateway: TestGateway, outcome: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${gateway.app.metricsAddress()?.port}/metrics`)).text()
  return Number(new RegExp(`gateway_spans_total\\{outcome="${outcome}"\\} (\\d+)`).exec(text)?.[1])
}

describe('a request', () => {
  it('is a span with its look-ups and the call of MLflow inside, which gets their ids', async () => {
    const gateway = await shared()
    const [server, ...inside] = await spansOf(gateway, LOG)
    expect(server).toMatchObject({
      ...{ name: 'POST runs.log_metric', kind: 2, parentId: '', status: 0, links: [] },
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/api/2.0/mlflow/runs/log-metric',
        'http.response.status_code': 200,
        'mlflow_gateway.operation': 'runs.log_metric',
        'mlflow_gateway.effect': 'allow',
      },
    })
    const names = inside.map(({ name, kind, parentId, attributes }) => {
      expect([kind, parentId]).toEqual([3, server?.spanId])
      return `${attributes['mlflow_gateway.purpose']} ${name} ${attributes['http.response.status_code']}`
    })
    expect(names).toContain('look_up GET /api/2.0/mlflow/runs/get 200')
    expect(names).toContain('request POST /api/2.0/mlflow/runs/log-metric 200')
    const sent = gateway.upstream.requests.flatMap((request) => headerValues(request, 'traceparent'))
    expect(sent.toSorted()).toEqual(
      inside.map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`).toSorted(),
    )
    expect(collector.resources.at(-1)).toMatchObject({
      'service.name': 'mlflow-auth-gateway',
      team: 'ml ops',
    })
    expect(collector.requests[0]).toMatchObject({ url: '/v1/traces', headers: { 'x-api-key': API_KEY } })
  })

  it('for a further tracking server is one as well, and that server gets the ids', async () => {
    const staging = await startUpstream(mlflowStandIn())
    onTestFinished(() => staging.stop())
    const gateway = await start({
      env: { UPSTREAMS: 'staging', UPSTREAM_STAGING_URL: staging.url },
      publicUrls: (own) => ({ UPSTREAM_STAGING_PUBLIC_URL: `${own}/staging` }),
    })
    const [server, ...inside] = await spansOf(gateway, { target: `/staging${READ.target}`, as: 'admin' })
    expect(server).toMatchObject({ name: 'GET experiments.get', kind: 2, status: 0 })
    const sent = staging.requests.flatMap((request) => headerValues(request, 'traceparent'))
    expect(sent).toEqual(inside.map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`))
    expect(sent.length).toBeGreaterThan(0)
  })

  it('that is refused is no error, and says why', async () => {
    const [server, ...inside] = await spansOf(await shared(), { ...LOG, as: 'reader' })
    expect(server).toMatchObject({
      ...{ name: 'POST runs.log_metric', status: 0 },
      attributes: {
        'http.response.status_code': 403,
        'mlflow_gateway.effect': 'deny',
        'mlflow_gateway.reason': 'level_too_low',
      },
    })
    expect(server?.attributes).not.toHaveProperty('error.type')
    expect(inside.map(({ name }) => name)).not.toContain('POST /api/2.0/mlflow/runs/log-metric')
  })

  it('that fails says what of', async () => {
    const gateway = await start()
    await gateway.upstream.stop()
    const spans = await spansOf(gateway, READ)
    expect(spans.map(({ kind, status, attributes }) => [kind, status, attributes['error.type']])).toEqual([
      [2, 2, 'ERR_UPSTREAM_UNREACHABLE'],
      ...spans.slice(1).map(() => [3, 2, 'ERR_UPSTREAM_UNREACHABLE']),
    ])
    expect(spans.length).toBeGreaterThan(1)
  })

  it.each([
    ['one of our own routes', '/auth/api/v1/roles/s3cret', 'GET admin.roles.get'],
    ['a page', '/auth/login?return_to=/s3cret', 'GET /auth/login'],
    ['what is not there', '/nowhere/s3cret?token=s3cret', 'GET'],
  ])('to %s is named by its template', async (_, target, name) => {
    const [server] = await spansOf(await shared(), { target, as: 'admin' })
    expect(server).toMatchObject({ name, kind: 2 })
    expect(JSON.stringify(server)).not.toContain('s3cret')
  })

  it('is found again: its trace is on record, and in its log lines', async () => {
    const gateway = await shared()
    const [server] = await spansOf(gateway, { ...LOG, as: 'reader' })
    const kept = () => gateway.store.audit.query({ limit: 1 })
    await expect.poll(kept, { timeout: 5000 }).toMatchObject([{ traceId: server?.traceId }])
    expect(gateway.log.filter((line) => line.includes('request refused')).at(-1)).toContain(server?.traceId)
  })

  it('of a probe is none', async () => {
    const gateway = await shared()
    for (const target of ['/healthz', '/readyz']) await gateway.ask({ target })
    await spansOf(gateway, READ)
    expect(collector.spans.filter(({ name }) => /healthz|readyz/.test(name))).toEqual([])
  })

  it('leaves nothing it carried in a span', async () => {
    const gateway = await shared()
    const { token, cookie, userId } = gateway.members.editor
    const asks: Ask[] = [
      { ...READ, target: `${READ.target}&note=s3cret-query`, headers: ['X-Forwarded-For: 203.0.113.9'] },
      { target: READ.target, headers: ['Authorization: Bearer s3cret-bearer', 'User-Agent: s3cret-agent'] },
      { target: READ.target, headers: [`Cookie: ${cookie}; other=s3cret-cookie`] },
      { ...LOG, json: { run_id: RUN_A, key: 's3cret-key', value: 1 } },
      { target: '/auth/callback/oidc?code=s3cret-code&state=s3cret-state' },
      { target: '/auth/backchannel-logout/oidc', method: 'POST', body: 'logout_token=s3cret-token' },
      { target: '/get-artifact?run_uuid=s3cret-run&path=s3cret-path', as: 'editor' },
      { target: READ.target, headers: ['traceparent: s3cret-trace', 'tracestate: s3=cret'] },
      { ...READ, headers: [`traceparent: ${PARENT}`, 'tracestate: s3cret=state', 'baggage: user=s3cret'] },
    ]
    for (const ask of asks) await spansOf(gateway, ask)
    const sent = Buffer.concat(collector.requests.map(({ body }) => body)).toString('latin1')
    expect(sent).toContain('GET experiments.get')
    for (const secret of ['s3cret', token, cookie, userId, 'editor', '203.0.113.9', RUN_A, API_KEY])
      expect(sent).not.toContain(secret)
  })
})

describe('a trace that a request says it is in', () => {
  const proxies = { TRUSTED_PROXIES: 'loopback' }
  const trusting = { ...proxies, TRACE_CONTEXT_FROM_PROXIES: 'true' }

  it.each([
    ["a stranger's is linked to", {}, PARENT, { isSame: false, links: [TRACE] }],
    ['of a proxy that only forwards, too', proxies, PARENT, { isSame: false, links: [TRACE] }],
    ["a trusted proxy's goes on", trusting, PARENT, { isSame: true, links: [] }],
    ['one that is none is nothing', trusting, '00-nonsense', { isSame: false, links: [] }],
    ['several are nothing', trusting, `${PARENT}\r\ntraceparent: ${PARENT}`, { isSame: false, links: [] }],
    ['all zeros are nothing', {}, `00-${'0'.repeat(32)}-${'c'.repeat(16)}-01`, { isSame: false, links: [] }],
  ])('%s', async (_, env, traceparent, expected) => {
    const gateway = await shared(env)
    const headers = [`traceparent: ${traceparent}`, 'tracestate: vendor=value']
    const [server, ...inside] = await spansOf(gateway, { ...READ, headers })
    expect({ isSame: server?.traceId === TRACE, links: server?.links }).toEqual(expected)
    expect(server?.parentId).toBe(expected.isSame ? 'c'.repeat(16) : '')
    const call = callOf(gateway)
    const { spanId } = inside.find((span) => span.attributes['mlflow_gateway.purpose'] === 'request') ?? {}
    expect(call && headerValues(call, 'traceparent')).toEqual([`00-${server?.traceId}-${spanId}-01`])
    expect(call && headerValues(call, 'tracestate')).toEqual(expected.isSame ? ['vendor=value'] : [])
  })

  it.each([
    ['always_off', {}, PARENT, 0],
    ['parentbased_always_off', {}, PARENT, 0],
    ['parentbased_always_off', trusting, PARENT, 1],
    ['parentbased_always_on', trusting, PARENT.replace(/01$/, '00'), 0],
    ['parentbased_always_on', {}, PARENT.replace(/01$/, '00'), 1],
    ['traceidratio', { OTEL_TRACES_SAMPLER_ARG: '0' }, PARENT, 0],
    ['traceidratio', { OTEL_TRACES_SAMPLER_ARG: '1' }, PARENT, 1],
    ['parentbased_traceidratio', { OTEL_TRACES_SAMPLER_ARG: '0' }, PARENT, 0],
  ])('%s, with %o: what is sampled', async (sampler, env, traceparent, sampled) => {
    const gateway = await start({ env: { OTEL_TRACES_SAMPLER: sampler, ...env } })
    const { event } = await gateway.ask({ ...READ, headers: [`traceparent: ${traceparent}`] })
    const call = callOf(gateway)
    expect(call && headerValues(call, 'traceparent')[0]).toMatch(new RegExp(`-0${sampled}$`))
    await gateway.app.close()
    expect(collector.spans.filter(({ kind }) => kind === 2)).toHaveLength(sampled)
    expect(event?.effect).toBe('allow')
  })
})

describe('a collector', () => {
  const answers = async (gateway: TestGateway, times: number) => {
    for (let turn = 0; turn < times; turn++) expect((await gateway.ask(READ)).status).toBe(200)
  }

  it('that refuses costs spans, which are counted, and a line in the log', async () => {
    const gateway = await start()
    collector.behave(400)
    await answers(gateway, 3)
    await expect.poll(() => metric(gateway, 'failed'), { timeout: 5000 }).toBeGreaterThanOrEqual(6)
    expect(gateway.log.filter((line) => line.includes('does not take traces'))).toHaveLength(1)
    collector.behave(200)
    await answers(gateway, 1)
    await expect.poll(() => metric(gateway, 'exported'), { timeout: 5000 }).toBeGreaterThanOrEqual(2)
    expect(gateway.log.join('')).toContain('the collector takes traces again')
    expect(gateway.log.join('')).not.toContain(API_KEY)
  })

  it('that never answers fills the queue and no more, and holds up neither requests nor the end', async () => {
    const gateway = await start({ spans: { queueSize: 8, delayMs: 5 } })
    collector.behave(undefined)
    await answers(gateway, 20)
    await expect.poll(() => metric(gateway, 'dropped')).toBeGreaterThanOrEqual(30)
    const since = performance.now()
    await gateway.app.close()
    expect(performance.now() - since).toBeLessThan(6000)
  })

  it('that is not there harms nothing', async () => {
    const gateway = await start({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' } })
    await answers(gateway, 3)
    const since = performance.now()
    await gateway.app.close()
    expect(performance.now() - since).toBeLessThan(6000)
  })

  it('gets what is left when the gateway ends', async () => {
    const gateway = await start({ spans: { delayMs: 60_000 } })
    await answers(gateway, 3)
    expect(collector.spans).toEqual([])
    await gateway.app.close()
    expect(collector.spans.filter(({ kind }) => kind === 2)).toHaveLength(3)
  })

  it('cannot send spans, and the key that goes with them, elsewhere', async () => {
    let reached = 0
    const elsewhere = createServer((_, response) => {
      reached += 1
      response.end()
    })
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void elsewhere.close())
    const { port } = elsewhere.address() as AddressInfo
    const gateway = await start()
    collector.behave(307, { location: `http://127.0.0.1:${port}/v1/traces` })
    await answers(gateway, 1)
    await expect.poll(() => metric(gateway, 'failed'), { timeout: 5000 }).toBeGreaterThanOrEqual(2)
    expect(reached).toBe(0)
  })
})

describe('without an endpoint', () => {
  it('no traceparent reaches MLflow, and none is on record', async () => {
    const gateway = await startTestGateway()
    onTestFinished(() => gateway.stop())
    await gateway.ask({ ...READ, headers: [`traceparent: ${PARENT}`, 'tracestate: a=b'] })
    for (const request of gateway.upstream.requests) {
      expect([...headerValues(request, 'traceparent'), ...headerValues(request, 'tracestate')]).toEqual([])
    }
  })

  it.each([
    ['nothing of OpenTelemetry is loaded', {}, false],
    ['with one it is', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' }, true],
  ])('%s', async (_, env: Record<string, string>, expected) => {
    expect(await loads(env)).toBe(expected)
  })
})

/** Starts the program, and says whether a module of the SDK was loaded until it listened; prom-client has the API. */
async function loads(env: Record<string, string>): Promise<boolean> {
  const hook = `import { registerHooks } from 'node:module'
registerHooks({ load(url, context, next) {
  if (/@opentelemetry\\/(?!api\\/)|src\\/tracing\\/opentelemetry/.test(url)) console.log('LOADED ' + url)
  return next(url, context)
} })`
  const dir = mkdtempSync(join(tmpdir(), 'gateway-traces-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const root = fileURLToPath(new URL('../../', import.meta.url))
  const preload = `data:text/javascript,${encodeURIComponent(hook)}`
  const child = spawn(process.execPath, ['--import', preload, 'src/server.ts'], {
    cwd: root,
    env: {
      PATH: process.env['PATH'],
      ...{
        NODE_ENV: 'test',
        PUBLIC_URL: 'http://127.0.0.1:8080',
        PORT: '0',
        DATABASE_URL: `sqlite:${join(dir, 'gateway.db')}`,
      },
      ...{ UPSTREAM_URL: 'http://127.0.0.1:9', GATEWAY_SECRET: 'Rk7vJ2nQ9mX4pL1sTt5WzYb8NcH3fGdA6eUoIi0k' },
      ...{ OIDC_ISSUER: 'https://sso.example.org', OIDC_CLIENT_ID: 'mlflow', ADMIN_USERS: 'alice' },
      ...env,
    },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  child.stderr.on('data', (chunk) => {
    output += chunk
  })
  await expect.poll(() => output, { timeout: 30_000 }).toContain('Server listening')
  return output.includes('LOADED')
}

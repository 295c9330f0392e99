import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ACCOUNTS, type Deployment, startDeployment } from '../support/deployment.ts'
import type { AccountName } from '../support/issuer.ts'

const POLICY = `
version: 1
roles:
  - name: builder
    grants:
      - { gateway_secret: { name: "alpha-*" }, level: EDIT }
      - { gateway_model_definition: { name: "alpha-*" }, level: EDIT }
      - { gateway_endpoint: { name: "alpha-*" }, level: EDIT }
      - { experiment: { name: "gateway/alpha-*" }, level: EDIT }
  - name: caller
    grants:
      - { gateway_endpoint: { name: "alpha-*" }, level: USE }
  - name: onlooker
    grants:
      - { gateway_endpoint: { name: "alpha-*" }, level: READ }
groups:
  alpha-editors: [builder]
  alpha-readers: [caller]
users:
  outsider: [onlooker]
`

const KEY = 'sk-the-stored-key-0123456789'
const dir = mkdtempSync(join(tmpdir(), 'gateway-ai-'))
let provider: Provider
let deployment: Deployment
const tokens = new Map<AccountName, string>()
const made = { secret: '', definition: '', endpoint: '', experiment: '', foreign: '', foreignExperiment: '' }

beforeAll(async () => {
  provider = await startProvider()
  writeFileSync(join(dir, 'policy.yaml'), POLICY)
  deployment = await startDeployment({
    policyFile: join(dir, 'policy.yaml'),
    mlflow: {
      startTimeoutMs: 150_000,
      env: {
        // With batches, the default, MLflow 3.17.2 forgets whose trace it was before it adds the span.
        MLFLOW_USE_BATCH_SPAN_PROCESSOR: 'false',
        MLFLOW_CRYPTO_KEK_PASSPHRASE: 'a passphrase for tests only',
        MLFLOW_GATEWAY_API_BASE_ALLOW_PRIVATE_IPS: 'true',
        MLFLOW_GATEWAY_API_BASE_ALLOWED_SCHEMES: 'http,https',
      },
    },
  })
  for (const name of ACCOUNTS) {
    await deployment.signIn(name)
    tokens.set(name, await deployment.createToken(name))
  }
}, 240_000)

afterAll(async () => {
  await deployment?.stop()
  await provider?.stop()
  rmSync(dir, { recursive: true, force: true })
})

type Provider = {
  readonly url: string
  readonly requests: {
    readonly url: string
    readonly headers: IncomingMessage['headers']
    readonly body: string
  }[]
  /** Lets a stream that has sent its first piece send the others. */
  readonly release: () => void
  /** Streams whose reader has gone before their end. */
  readonly abandoned: () => number
  readonly stop: () => Promise<void>
}

/** Stands where OpenAI would: answers in one piece, or in pieces of which the second waits to be released. */
async function startProvider(): Promise<Provider> {
  const requests: Provider['requests'] = []
  let open: (() => void)[] = []
  let abandoned = 0
  const server: Server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    requests.push({ url: request.url ?? '', headers: request.headers, body })
    if (!body.includes('"stream"')) {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(WHOLE))
      return
    }
    response.on('close', () => {
      if (!response.writableFinished) abandoned++
    })
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(piece('first'))
    open.push(() => finish(response))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    release: () => {
      for (const each of open) each()
      open = []
    },
    abandoned: () => abandoned,
    stop: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

const ABOUT = { id: 'c-1', created: 1, model: 'gpt-4o' }
const WHOLE = {
  ...{ ...ABOUT, object: 'chat.completion' },
  choices: [{ index: 0, message: { role: 'assistant', content: 'whole' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
}

function piece(content: string): string {
  const choices = [{ index: 0, delta: { role: 'assistant', content }, finish_reason: null }]
  return `data: ${JSON.stringify({ ...ABOUT, object: 'chat.completion.chunk', choices })}\n\n`
}

function finish(response: ServerResponse): void {
  response.write(piece('second'))
  response.end('data: [DONE]\n\n')
}

type Answer = { readonly status: number; readonly text: string; readonly json: Record<string, unknown> }

async function ask(as: AccountName, method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await send(as, method, path, body)
  const text = await response.text()
  return { status: response.status, text, json: text.startsWith('{') ? JSON.parse(text) : {} }
}

function send(as: AccountName, method: string, path: string, body?: unknown, signal?: AbortSignal) {
  const headers = { authorization: `Bearer ${tokens.get(as)}`, 'content-type': 'application/json' }
  return fetch(`${deployment.gateway.url}${path}`, {
    ...{ method, headers, signal: signal ?? AbortSignal.timeout(30_000) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
}

const gateway = (as: AccountName, what: string, body?: unknown) =>
  ask(as, body === undefined ? 'GET' : 'POST', `/api/3.0/mlflow/gateway/${what}`, body)

const idIn = ({ json }: Answer, field: string, id: string) =>
  String((json[field] as Record<string, unknown> | undefined)?.[id] ?? '')

async function build(
  as: AccountName,
  name: string,
): Promise<Omit<typeof made, 'foreign' | 'foreignExperiment'>> {
  const secret = await gateway(as, 'secrets/create', {
    ...{ secret_name: `${name}-key`, secret_value: { api_key: KEY }, provider: 'openai' },
    auth_config: { api_base: provider.url },
  })
  expect([secret.status, secret.text.includes(KEY)]).toEqual([200, false])
  const secret_id = idIn(secret, 'secret', 'secret_id')
  const definition = await gateway(as, 'model-definitions/create', {
    ...{ name: `${name}-model`, secret_id, provider: 'openai', model_name: 'gpt-4o' },
  })
  const model_definition_id = idIn(definition, 'model_definition', 'model_definition_id')
  const endpoint = await gateway(as, 'endpoints/create', {
    ...{ name, model_configs: [{ model_definition_id, linkage_type: 'PRIMARY', weight: 1 }] },
  })
  expect([definition.status, endpoint.status, endpoint.text]).toEqual([200, 200, expect.any(String)])
  return {
    secret: secret_id,
    definition: model_definition_id,
    endpoint: idIn(endpoint, 'endpoint', 'endpoint_id'),
    experiment: idIn(endpoint, 'endpoint', 'experiment_id'),
  }
}

/** A trace with one span in it. @returns Its id as OpenTelemetry writes it. */
async function makeTrace(as: AccountName, experiment: string, digit: string): Promise<string> {
  const traceId = digit.repeat(32)
  const times = { startTimeUnixNano: '1700000000000000000', endTimeUnixNano: '1700000001000000000' }
  const span = { traceId, spanId: digit.repeat(16), name: 'of-my-code', ...times }
  const { status } = await fetch(`${deployment.gateway.url}/v1/traces`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${tokens.get(as)}`,
      ...{ 'content-type': 'application/json', 'x-mlflow-experiment-id': experiment },
    },
    body: JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }),
  })
  expect(status).toBe(200)
  return traceId
}

/** Calls the endpoint from within that trace, as MLflow's client does it. */
async function call(as: AccountName, traceId: string): Promise<number> {
  const traceparent = `00-${traceId}-${traceId.slice(0, 16)}-01`
  const { status } = await fetch(`${deployment.gateway.url}/gateway/mlflow/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tokens.get(as)}`, 'content-type': 'application/json', traceparent },
    body: JSON.stringify({ model: 'alpha-chat', ...CHAT }),
  })
  return status
}

async function namesIn(traceId: string): Promise<string[]> {
  const { text } = await ask('admin', 'GET', `/api/3.0/mlflow/traces/get?trace_id=tr-${traceId}`)
  return [...text.matchAll(/"name": ?"(of-my-code|gateway\/[\w-]+)"/g)].map(([, name = '']) => name)
}

const CHAT = { messages: [{ role: 'user', content: 'hello' }] }

describe('the AI gateway of a real MLflow, one after the other', () => {
  it('lets people make what their grants cover, and nothing of what belongs to others', async () => {
    const foreign = await build('admin', 'beta-chat')
    Object.assign(made, await build('editor', 'alpha-chat'), {
      ...{ foreign: foreign.secret, foreignExperiment: foreign.experiment },
    })
    const refused = [
      await gateway('editor', 'secrets/create', { secret_name: 'beta-x', secret_value: { api_key: KEY } }),
      await gateway('editor', 'model-definitions/create', {
        ...{ name: 'alpha-x', secret_id: foreign.secret, provider: 'openai', model_name: 'm' },
      }),
      await gateway('editor', 'model-definitions/update', {
        ...{ model_definition_id: made.definition, secret_id: foreign.secret },
      }),
      await gateway('editor', 'endpoints/models/attach', {
        endpoint_id: made.endpoint,
        model_config: { model_definition_id: foreign.definition, linkage_type: 'FALLBACK' },
      }),
      await gateway('reader', 'endpoints/set-tag', { endpoint_id: made.endpoint, key: 'k', value: 'v' }),
      await gateway('outsider', `secrets/get?secret_id=${made.secret}`),
    ]
    expect(refused.map(({ status }) => status)).toEqual(refused.map(() => 403))
  })

  it('shows each their own, without the secrets of others', async () => {
    const names = async (as: AccountName, what: string, field: string, name: string) =>
      (((await gateway(as, what)).json[field] ?? []) as Record<string, string>[]).map((each) => each[name])
    expect(await names('editor', 'endpoints/list', 'endpoints', 'name')).toEqual(['alpha-chat'])
    expect(await names('reader', 'endpoints/list', 'endpoints', 'name')).toEqual(['alpha-chat'])
    expect(await names('reader', 'secrets/list', 'secrets', 'secret_name')).toEqual([])
    expect(await names('editor', 'secrets/list', 'secrets', 'secret_name')).toEqual(['alpha-chat-key'])
    expect((await names('admin', 'secrets/list', 'secrets', 'secret_name')).length).toBe(2)

    const get = `endpoints/get?endpoint_id=${made.endpoint}`
    expect((await gateway('editor', get)).text).toContain('alpha-chat-key')
    const shown = await gateway('reader', get)
    expect([shown.status, shown.text.includes('mapping_id')]).toEqual([200, true])
    expect(shown.text).not.toMatch(/alpha-chat-key|alpha-chat-model|"s-|"d-/)
  })

  it('takes calls from whoever may use the endpoint, under its name', async () => {
    const path = '/gateway/mlflow/v1/chat/completions'
    const called = await ask('reader', 'POST', path, { model: 'alpha-chat', ...CHAT })
    expect([called.status, called.text]).toEqual([200, expect.stringContaining('whole')])
    expect(provider.requests.at(-1)?.headers.authorization).toBe(`Bearer ${KEY}`)
    const byPath = await ask('reader', 'POST', '/gateway/alpha-chat/mlflow/invocations', CHAT)
    expect([byPath.status, byPath.text]).toEqual([200, expect.stringContaining('whole')])
    const before = provider.requests.length
    const refused = [
      await ask('outsider', 'POST', path, { model: 'alpha-chat', ...CHAT }),
      await ask('reader', 'POST', path, { model: 'beta-chat', ...CHAT }),
      await ask('reader', 'POST', path, { model: 'nothing', ...CHAT }),
      await ask('outsider', 'POST', '/gateway/alpha-chat/mlflow/invocations', CHAT),
      await ask('reader', 'POST', '/gateway/proxy/alpha-chat/chat/completions', { model: 'x', ...CHAT }),
    ]
    expect(refused.map(({ status }) => status)).toEqual(refused.map(() => 403))
    expect(provider.requests.length).toBe(before)
  })

  it('lists to clients of OpenAI’s what they may call', async () => {
    const models = async (as: AccountName) =>
      ((await ask(as, 'GET', '/gateway/mlflow/v1/models')).json['data'] as { id: string }[]).map(
        ({ id }) => id,
      )
    expect(await models('reader')).toEqual(['alpha-chat'])
    expect(await models('outsider')).toEqual([])
    expect(await models('admin')).toEqual(['alpha-chat', 'beta-chat'])
  })

  it('reaches any path of the provider for who manages the endpoint', async () => {
    const { status } = await ask('editor', 'POST', '/gateway/proxy/alpha-chat/any/path?n=1', { model: 'x' })
    expect(status).toBe(200)
    // MLflow leaves out the version that the address of this provider ends in.
    expect(provider.requests.at(-1)?.url).toBe('/any/path?n=1')
  })

  it('is seen in the trace of the code that calls, if that is the caller’s to change', async () => {
    const own = await makeTrace('editor', made.experiment, 'a')
    const theirs = await makeTrace('admin', made.foreignExperiment, 'b')
    expect(await call('editor', theirs)).toBe(200)
    expect(await call('editor', own)).toBe(200)
    await expect.poll(() => namesIn(own), { timeout: 30_000 }).toContain('gateway/alpha-chat')
    expect(await namesIn(theirs)).toEqual(['of-my-code'])
    // MLflow itself adds to whichever it is told of.
    expect(await call('admin', theirs)).toBe(200)
    await expect.poll(() => namesIn(theirs), { timeout: 30_000 }).toContain('gateway/alpha-chat')
  })

  it('passes the pieces of an answer as they come', async () => {
    const body = { model: 'alpha-chat', stream: true, ...CHAT }
    const response = await send('reader', 'POST', '/gateway/mlflow/v1/chat/completions', body)
    expect(response.headers.get('content-type')).toContain('text/event-stream')
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
    const first = (await reader?.read())?.value ?? ''
    expect(first).toContain('first')
    provider.release()
    let rest = ''
    for (let part = await reader?.read(); part?.done === false; part = await reader?.read())
      rest += part.value
    expect(rest).toContain('second')
  })

  it('lets go of the provider when the client has gone', async () => {
    const client = new AbortController()
    const body = { model: 'alpha-chat', stream: true, ...CHAT }
    const path = '/gateway/openai/v1/chat/completions'
    const response = await send('reader', 'POST', path, body, client.signal)
    await response.body?.getReader().read()
    client.abort()
    await expect.poll(() => provider.abandoned(), { timeout: 15_000 }).toBeGreaterThan(0)
  })

  it('gives whoever made an endpoint the experiment that was made for it', async () => {
    const path = '/api/2.0/mlflow/experiments'
    const { json } = await ask('editor', 'GET', `${path}/get?experiment_id=${made.experiment}`)
    expect((json['experiment'] as { name: string }).name).toBe('gateway/alpha-chat')
    // Only who manages an experiment may delete it: the pattern gives EDIT.
    const deleted = await ask('editor', 'POST', `${path}/delete`, { experiment_id: made.experiment })
    expect(deleted.status).toBe(200)
  })

  it('leaves no rights on what was deleted', async () => {
    const path = '/api/3.0/mlflow/gateway/endpoints/delete'
    expect((await ask('reader', 'DELETE', path, { endpoint_id: made.endpoint })).status).toBe(403)
    expect((await ask('editor', 'DELETE', path, { endpoint_id: made.endpoint })).status).toBe(200)
    expect((await gateway('editor', `endpoints/get?endpoint_id=${made.endpoint}`)).status).toBe(403)
  })
})

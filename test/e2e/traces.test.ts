import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ACCOUNTS, type Deployment, startDeployment } from '../support/deployment.ts'
import type { AccountName } from '../support/issuer.ts'
import { runPython } from '../support/python.ts'

let deployment: Deployment
const tokens = new Map<AccountName, string>()
type Made = { readonly experiment_id: string; readonly trace_id: string }
let made: Made
/** The id of an experiment of the admin's, and of a trace in it. */
let theirs: Made

beforeAll(async () => {
  deployment = await startDeployment({ env: { AUDIT_STDOUT: 'false' } })
  for (const name of ACCOUNTS) {
    await deployment.signIn(name)
    tokens.set(name, await deployment.createToken(name))
  }
  made = await runScript('editor', 'editor', 'alpha/traced')
  theirs = await runScript('admin', 'editor', 'beta/traced')
})

afterAll(() => deployment.stop())

async function runScript(as: AccountName, ...args: readonly string[]) {
  const source = readFileSync(new URL('./scripts/traces.py', import.meta.url), 'utf8')
  const env = { MLFLOW_TRACKING_URI: deployment.gateway.url, MLFLOW_TRACKING_TOKEN: tokens.get(as) ?? '' }
  const result = await runPython(source, env, { args })
  if (result.code !== 0) throw new Error(`traces.py ended with ${result.code}:\n${result.stderr}`)
  return JSON.parse(result.stdout.trim().split('\n').at(-1) ?? '')
}

async function send(as: AccountName, method: string, path: string, json?: object, headers = {}) {
  const response = await fetch(`${deployment.gateway.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${tokens.get(as)}`,
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  })
  return { status: response.status, text: await response.text() }
}

const spansInto = (traceId: string) => ({
  resourceSpans: [
    {
      scopeSpans: [
        {
          spans: [
            {
              ...{ traceId: traceId.replace('tr-', ''), spanId: '1234567890abcdef', name: 'smuggled' },
              ...{ startTimeUnixNano: '1700000000000000000', endTimeUnixNano: '1700000001000000000' },
            },
          ],
        },
      ],
    },
  ],
})

test('the editor works with traces by an unchanged script', () => {
  expect(made).toEqual({
    experiment_id: expect.stringMatching(/^[1-9]\d*$/),
    trace_id: expect.stringMatching(/^tr-[0-9a-f]{32}$/),
    answer: 42,
    found: [made.trace_id],
    spans: ['inner', 'outer'],
    tag: 'green',
    feedback: [['good', false]],
  })
})

test('the reader reads them and changes nothing', async () => {
  const { search, get, ...writes } = await runScript(
    ...(['reader', 'other', 'alpha/traced', made.trace_id, made.experiment_id] as const),
  )
  expect({ search, get }).toEqual({ search: { ok: [made.trace_id] }, get: { ok: ['inner', 'outer'] } })
  for (const [name, attempt] of Object.entries(writes)) {
    expect([name, attempt]).toMatchObject([name, { kind: 'RestException', code: 'PERMISSION_DENIED' }])
  }
})

test('the outsider finds nothing and is refused everything', async () => {
  const { search, ...others } = await runScript(
    ...(['outsider', 'other', 'alpha/traced', made.trace_id, made.experiment_id] as const),
  )
  expect(search).toEqual({ ok: [] })
  for (const [name, attempt] of Object.entries(others)) {
    expect([name, attempt]).toMatchObject([name, { code: 'PERMISSION_DENIED' }])
  }
})

describe("somebody else's trace, as the editor", () => {
  const spanNames = async () => {
    const { text } = await send('admin', 'GET', `/api/3.0/mlflow/traces/get?trace_id=${theirs.trace_id}`)
    const { trace } = JSON.parse(text) as {
      trace: { trace_info: { trace_location: { mlflow_experiment: object } }; spans: { name: string }[] }
    }
    return [trace.trace_info.trace_location.mlflow_experiment, trace.spans.map(({ name }) => name).sort()]
  }
  const unchanged = () => [{ experiment_id: theirs.experiment_id }, ['inner', 'outer']]

  test('gets no spans by one’s own experiment header', async () => {
    const here = { 'x-mlflow-experiment-id': made.experiment_id }
    const fresh = spansInto(`tr-${'e'.repeat(32)}`)
    expect((await send('editor', 'POST', '/v1/traces', fresh, here)).status).toBe(200)
    expect((await send('editor', 'POST', '/v1/traces', spansInto(made.trace_id), here)).status).toBe(200)
    const { status, text } = await send('editor', 'POST', '/v1/traces', spansInto(theirs.trace_id), here)
    expect([status, JSON.parse(text).error_code]).toEqual([403, 'PERMISSION_DENIED'])
    expect(await spanNames()).toEqual(unchanged())
  })

  test('is not moved by its id', async () => {
    const trace_info = {
      ...{ trace_id: theirs.trace_id, request_time: '2026-01-01T00:00:00Z', state: 'OK' },
      trace_location: {
        type: 'MLFLOW_EXPERIMENT',
        mlflow_experiment: { experiment_id: made.experiment_id },
      },
    }
    const { status } = await send('editor', 'POST', '/api/3.0/mlflow/traces', { trace: { trace_info } })
    expect(status).toBe(403)
    expect(await spanNames()).toEqual(unchanged())
  })

  test('is left out of a search, and refused among others', async () => {
    const locations = [made, theirs].map(({ experiment_id }) => ({
      type: 'MLFLOW_EXPERIMENT',
      mlflow_experiment: { experiment_id },
    }))
    const { text } = await send('editor', 'POST', '/api/3.0/mlflow/traces/search', { locations })
    expect(text).toContain(made.trace_id)
    expect(text).not.toContain(theirs.trace_id)
    const query = `trace_ids=${made.trace_id}&trace_ids=${theirs.trace_id}`
    expect((await send('editor', 'GET', `/api/3.0/mlflow/traces/batchGet?${query}`)).status).toBe(403)
  })
})

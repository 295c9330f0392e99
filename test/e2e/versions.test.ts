/**
 * Every supported version of MLflow with its own Python client, through the gateway, as the editor and as the reader. Set
 * MLFLOW_VERSIONS (comma-separated) for a few of them.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isServedBy, KNOWN_VERSIONS, type KnownVersion } from '../../src/mlflow/version.ts'
import { DEMO_POLICY, type Deployment, startDeployment } from '../support/deployment.ts'
import { CURRENT_VERSION } from '../support/mlflow.ts'
import { runPython } from '../support/python.ts'

const CHOSEN = (process.env['MLFLOW_VERSIONS'] ?? 'all').split(',')
const VERSIONS = KNOWN_VERSIONS.filter((version) => CHOSEN.includes('all') || CHOSEN.includes(version))
const SCRIPT = readFileSync(new URL('./scripts/versions.py', import.meta.url), 'utf8')

/** Of a machine that does other things too: a start and a day's work take ten seconds each on a quiet one. */
const PATIENCE_MS = 300_000

/** The demo's, with prompts too: where models are named, prompts are. */
const folder = mkdtempSync(join(tmpdir(), 'gateway-versions-'))
const policyFile = join(folder, 'policy.yaml')
const policy = readFileSync(DEMO_POLICY, 'utf8')
writeFileSync(policyFile, policy.replace(/^( *)- \{ registered_model(: .*)$/gm, '$&\n$1- { prompt$2'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Attempt = {
  readonly ok?: unknown
  readonly kind?: string
  readonly code?: string | number
  readonly message?: string
}
type Report = {
  readonly version: string
  readonly steps: Readonly<Record<string, Attempt>>
  readonly changes?: Readonly<Record<string, Attempt>>
  readonly made: Readonly<Record<string, string>>
}

const TRACKING = {
  ...{ by_name: true, user: 'editor', params: { rate: '0.1' }, loss: [0.4], files: ['answer.json'] },
  ...{ answer: { answer: 42 }, inputs: ['numbers'], found: true },
}

/** What comes of each step in a version that has it. */
function expectedSteps(version: KnownVersion) {
  const from = (since: KnownVersion, step: object) => (isServedBy({ since }, [version]) ? step : {})
  return {
    // Old versions keep the model among the files of its run.
    tracking: { ...TRACKING, files: expect.arrayContaining(['answer.json']) },
    model: {
      ...{ by_version: 42, by_alias: 42, of_the_copy: 42, by_uri: 42 },
      ...{ found: ['alpha-day', 'alpha-day-copy'], versions: ['1'] },
    },
    trace: { found: true, spans: ['inner', 'outer'], tag: 'green' },
    prompt: { by_version: 'Say {{word}}.', by_alias: 'Say {{word}}!' },
    ...from('3.1.4', { logged_model: { found: true, status: 'READY', tag: 'green' } }),
    ...from('3.10.1', { feedback: [['good', true]], evaluation: { mean: 0.5 } }),
    ...from('3.10.1', { dataset: { name: 'alpha/day-set', records: 2 } }),
  }
}

function expectSteps(steps: Report['steps'], version: KnownVersion): void {
  const expected = Object.entries(expectedSteps(version)).map(([key, ok]) => [
    key,
    { ok: Array.isArray(ok) ? ok : expect.objectContaining(ok) },
  ])
  expect(steps).toEqual(Object.fromEntries(expected))
}

describe.each(VERSIONS)('MLflow %s', { timeout: PATIENCE_MS }, (version) => {
  let deployment: Deployment
  const tokens = new Map<string, string>()
  let made: Report

  const run = async (as: 'editor' | 'reader', ...args: readonly string[]): Promise<Report> => {
    const env = { MLFLOW_TRACKING_URI: deployment.gateway.url, MLFLOW_TRACKING_TOKEN: tokens.get(as) ?? '' }
    const result = await runPython(SCRIPT, env, {
      args: [as, 'day', ...args],
      version,
      timeoutMs: PATIENCE_MS - 10_000,
    })
    if (result.code !== 0) throw new Error(`versions.py ended with ${result.code}:\n${result.stderr}`)
    return JSON.parse(result.stdout.trim().split('\n').at(-1) ?? '')
  }
  const ask = (as: string, method: string, target: string, body?: string) =>
    fetch(`${deployment.gateway.url}${target}`, {
      method,
      headers: { authorization: `Bearer ${tokens.get(as)}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body }),
    })

  beforeAll(async () => {
    deployment = await startDeployment({
      mlflow: { version, startTimeoutMs: PATIENCE_MS },
      policyFile,
      env: { AUDIT_STDOUT: 'false' },
    })
    for (const name of ['admin', 'editor', 'reader'] as const) {
      await deployment.signIn(name)
      tokens.set(name, await deployment.createToken(name))
    }
  }, PATIENCE_MS)

  afterAll(() => deployment?.stop())

  it('is what /readyz says', async () => {
    const { parts } = (await (await fetch(`${deployment.gateway.url}/readyz`)).json()) as {
      parts: { upstream: unknown }
    }
    expect(parts.upstream).toMatchObject({
      status: 'ok',
      version,
      catalogue: { knowsVersion: true, judgedAs: [version] },
    })
  })

  it('lets the editor do a day’s work', async () => {
    made = await run('editor')
    expect(made.version).toBe(version)
    expectSteps(made.steps, version)
  })

  it('shows the reader all of it, and lets them change nothing', async () => {
    const report = await run('reader', JSON.stringify(made.made))
    expectSteps(report.steps, version)
    // Some clients wrap what they were told in an error of their own.
    const isRefused = ({ code, message }: Attempt) =>
      code === 'PERMISSION_DENIED' || code === 403 || message?.startsWith('PERMISSION_DENIED: ') === true
    const changes = Object.entries(report.changes ?? {})
    expect(changes.length).toBeGreaterThanOrEqual(13)
    expect(changes.filter(([, attempt]) => !isRefused(attempt))).toEqual([])
  })

  it('never gets a body that names one field twice', async () => {
    const id = made.made['experiment_id']
    const secret = await ask('admin', 'POST', '/api/2.0/mlflow/experiments/create', '{"name":"beta/secret"}')
    const { experiment_id: theirs } = (await secret.json()) as { experiment_id: string }
    for (const body of [
      `{"experiment_id":"${id}","experimentId":"${theirs}","key":"k","value":"v"}`,
      `{"experimentId":"${theirs}","experiment_id":"${id}","key":"k","value":"v"}`,
      `{"experiment_id":"${id}","experiment_id":"${theirs}","key":"k","value":"v"}`,
    ]) {
      // What an old server itself makes of it: the later one counts, and the tag is set.
      const direct = await fetch(`${deployment.mlflow?.url}/api/2.0/mlflow/experiments/set-experiment-tag`, {
        ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
        body: body.replace(`"${theirs}"`, '"0"').replace(`"${id}"`, '"0"'),
      })
      if (version !== CURRENT_VERSION) expect(direct.status).toBe(200)
      const refused = await ask('editor', 'POST', '/api/2.0/mlflow/experiments/set-experiment-tag', body)
      expect([body, refused.status]).toEqual([body, 400])
    }
    const search = `{"experiment_ids":["${id}"],"experimentIds":["${theirs}"]}`
    expect((await ask('editor', 'POST', '/api/2.0/mlflow/runs/search', search)).status).toBe(400)
    const seen = await ask('admin', 'GET', `/api/2.0/mlflow/experiments/get?experiment_id=${theirs}`)
    expect(JSON.stringify(await seen.json())).not.toContain('"k"')
  })
})

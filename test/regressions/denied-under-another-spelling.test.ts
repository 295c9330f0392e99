/**
 * The attack: somebody who may read everything but what is denied asks for the denied thing in capitals. A database that
 * does not tell cases apart (common on MySQL) serves it, while the gateway took "answered with another name" for "there
 * is no such thing", which a right on everything covers. What is judged is what MLflow would serve, and an answer that
 * does not say what that is counts as a fault, never as absence.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { RUN_A, RUN_B } from '../support/mlflow-stand-in.ts'
import type { Ask } from '../support/spoken-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import type { UpstreamHandlers } from '../support/upstream.ts'

const API = '/api/2.0/mlflow'
const upper = (text: string) => encodeURIComponent(text.toUpperCase())

/** As MLflow on such a database: whatever the case, the thing itself answers. */
function caseless(): UpstreamHandlers {
  const asked = (url: string, field: string) =>
    (new URL(url, 'http://x').searchParams.get(field) ?? '').toLowerCase()
  const experiments: Record<string, string> = { 'alpha/one': '1', 'beta/secret': '2' }
  const runs: Record<string, string> = { [RUN_A]: '1', [RUN_B]: '2' }
  const found = (body: object, isThere: boolean) => (isThere ? { body } : { status: 404, body: {} })
  return {
    [`GET ${API}/experiments/get-by-name`]: ({ url }) => {
      const name = asked(url, 'experiment_name')
      return found({ experiment: { experiment_id: experiments[name], name } }, name in experiments)
    },
    [`GET ${API}/runs/get`]: ({ url }) => {
      const id = asked(url, 'run_id')
      return found({ run: { info: { run_id: id, experiment_id: runs[id] } } }, id in runs)
    },
    [`GET ${API}/registered-models/get`]: ({ url }) => {
      const name = asked(url, 'name')
      return found({ registered_model: { name } }, ['alpha-model', 'beta-model'].includes(name))
    },
  }
}

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway({ mlflow: caseless() })
  const { id } = await gateway.store.roles.personal(gateway.members.outsider.userId)
  for (const resourceType of ['experiment', 'registered_model'] as const) {
    const grants = [
      { match: 'any', pattern: '*', level: 'READ' },
      { match: 'name', pattern: 'beta/*', level: 'DENY' },
      { match: 'exact', pattern: resourceType === 'experiment' ? '2' : 'beta-model', level: 'DENY' },
    ] as const
    for (const grant of grants)
      await gateway.store.roles.grant(id, { resourceType, source: 'manual', ...grant })
  }
  await vi.waitFor(async () => expect((await look(`${API}/runs/get?run_id=${RUN_A}`)).status).toBe(200))
})
afterAll(() => gateway.stop())

const look = (target: string) => gateway.ask({ target, as: 'outsider' })

describe('what is denied', () => {
  it.each<Ask>([
    { target: `${API}/experiments/get-by-name?experiment_name=${upper('beta/secret')}` },
    { target: `${API}/runs/get?run_id=${RUN_B.toUpperCase()}` },
    { target: `${API}/metrics/get-history?run_id=${RUN_B.toUpperCase()}&metric_key=m` },
    { target: `/get-artifact?run_uuid=${RUN_B.toUpperCase()}&path=x` },
    { target: `${API}/registered-models/get?name=${upper('beta-model')}` },
    { target: `${API}/model-versions/get-download-uri?name=Beta-model&version=1` },
    { target: `/model-versions/get-artifact?name=BETA-model&version=1&path=x` },
  ])('$target', async (ask) => {
    const { status, event, reached } = await gateway.ask({ ...ask, as: 'outsider' })
    expect([[403, 404].includes(status), event?.reason, reached]).toEqual([true, 'explicit_deny', []])
  })

  it.each<Ask>([
    { target: `${API}/experiments/get-by-name?experiment_name=${upper('alpha/one')}` },
    { target: `${API}/runs/get?run_id=${RUN_A.toUpperCase()}` },
    { target: `${API}/registered-models/get?name=${upper('alpha-model')}` },
  ])('is not taken for what is not: $target', async (ask) => {
    expect((await gateway.ask({ ...ask, as: 'outsider' })).line).toBe('200 allow')
  })
})

describe('what is deleted under another spelling', () => {
  it('leaves no grant behind under its own', async () => {
    const { userId } = gateway.members.reader
    const { id } = await gateway.store.roles.personal(userId)
    const granted = async () => {
      const membership = await gateway.store.people.membership(userId, [{ id: 'oidc' }])
      const own = membership?.roles.find((role) => role.id === id)
      return (own?.grants ?? []).map(({ pattern }) => pattern)
    }
    const grant = {
      resourceType: 'registered_model',
      match: 'exact',
      level: 'READ',
      source: 'manual',
    } as const
    await gateway.store.roles.grant(id, { ...grant, pattern: 'beta-model' })
    expect(await granted()).toEqual(['beta-model'])
    const ask = { method: 'DELETE', target: `${API}/registered-models/delete`, json: { name: 'BETA-Model' } }
    expect((await gateway.ask({ ...ask, as: 'admin' })).line).toBe('200 allow')
    expect(await granted()).toEqual([])
  })
})

describe('an answer that does not say whose a thing is', () => {
  it.each([
    [
      `${API}/runs/get`,
      `${API}/metrics/get-history?run_id=${'e'.repeat(32)}&metric_key=m`,
      { run: { info: {} } },
    ],
    [`${API}/runs/get`, `${API}/metrics/get-history?run_id=${'f'.repeat(32)}&metric_key=m`, {}],
    [`${API}/registered-models/get`, `${API}/model-versions/get?name=x&version=1`, { registered_model: {} }],
    [
      `${API}/experiments/get-by-name`,
      `${API}/experiments/get-by-name?experiment_name=x`,
      { experiment: {} },
    ],
    [
      `${API}/experiments/get`,
      `${API}/experiments/get?experiment_id=77`,
      { experiment: { experiment_id: '2', name: 'x' } },
    ],
  ])('%s: a fault, though everything may be read', async (path, target, body) => {
    gateway.script({ [`GET ${path}`]: { body } })
    const { line, reached } = await look(target)
    expect([line, reached]).toEqual(['502 INTERNAL_ERROR ERR_UPSTREAM_INVALID', []])
  })
})

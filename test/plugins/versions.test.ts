/** What of the catalogue is on follows the version of the tracking server; what it has no row for is refused and counted. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { TRACE_A } from '../support/mlflow-stand-in.ts'
import { startTestGateway, type TestGateway, type TestGatewaySettings } from '../support/test-gateway.ts'

let gateway: TestGateway
afterEach(() => gateway.stop())

async function start(version?: string | (() => string), settings: TestGatewaySettings = {}) {
  const say = typeof version === 'string' ? () => version : version
  gateway = await startTestGateway({ ...settings, ...(say && { version: say }) })
}

/** Of the upstream, as `/readyz` says it. */
async function detail(): Promise<Record<string, unknown>> {
  const response = await fetch(`${gateway.url}/readyz`)
  return ((await response.json()) as { parts: { upstream: Record<string, unknown> } }).parts.upstream
}

const NEW_TRACE = { target: `/api/3.0/mlflow/traces/${TRACE_A}`, as: 'admin' } as const
const OLD_TRACE = { target: `/api/2.0/mlflow/traces/${TRACE_A}/info`, as: 'admin' } as const
const NOT_HERE = '404 ENDPOINT_NOT_FOUND not_in_this_version'

describe('a row outside the range of the tracking server’s version', () => {
  it.each([
    ['2.22.5', NOT_HERE, '200 allow'],
    ['3.1.4', NOT_HERE, '200 allow'],
    ['3.0.0', NOT_HERE, '200 allow'],
    // Between two known ones: which of them it is like cannot be told.
    ['3.5.0', '200 allow', '200 allow'],
    ['3.10.1', '200 allow', '200 allow'],
    ['3.17.2', '200 allow', '200 allow'],
    ['4.0.0', '200 allow', '200 allow'],
    ['not a version', '200 allow', '200 allow'],
  ])('%s', async (version, ofNew, ofOld) => {
    await start(version, {
      mlflow: { [`GET ${NEW_TRACE.target}`]: TRACE, [`GET ${OLD_TRACE.target}`]: { body: {} } },
    })
    const asked = await gateway.ask(NEW_TRACE)
    expect(asked.line).toBe(ofNew)
    expect(asked.reached).toEqual(ofNew === NOT_HERE ? [] : [`GET ${NEW_TRACE.target}`])
    expect((await gateway.ask(OLD_TRACE)).line).toBe(ofOld)
  })

  it('is not counted as unknown', async () => {
    await start('2.22.5')
    await gateway.ask(NEW_TRACE)
    expect(await detail()).toMatchObject({ version: '2.22.5', unknownRoutes: { refused: 0, lately: [] } })
  })

  it('is served once another version is behind a new connection', async () => {
    let version = '2.22.5'
    await start(() => version, { mlflow: { [`GET ${NEW_TRACE.target}`]: TRACE } })
    expect((await gateway.ask(NEW_TRACE)).line).toBe(NOT_HERE)
    version = '3.17.2'
    gateway.script({ 'GET /version': (_request, response) => void response.socket?.destroy() })
    await gateway.ask({ target: '/version', as: 'admin' })
    gateway.script({ [`GET ${NEW_TRACE.target}`]: TRACE })
    await gateway.ask({ target: '/health', as: 'admin' })
    await gateway.ask({ target: '/api/2.0/mlflow/experiments/get?experiment_id=1', as: 'admin' })
    await vi.waitFor(async () => expect((await gateway.ask(NEW_TRACE)).line).toBe('200 allow'), 5000)
  })
})

const TRACE = {
  body: {
    trace: {
      trace_info: { trace_id: TRACE_A, trace_location: { mlflow_experiment: { experiment_id: '1' } } },
    },
  },
}

describe('a route that the tracking server serves and no row describes', () => {
  const BEAM = '/api/2.0/mlflow/experiments/teleport'
  const serving = { mlflow: { [`POST ${BEAM}`]: { body: { teleported: true } } } }
  const json = { experiment_id: '1' }

  it('is refused to everybody, counted, and named once somebody who is signed in asks', async () => {
    await start('3.18.0', serving)
    for (const as of ['admin', 'editor', 'reader', undefined] as const) {
      const refused = await gateway.ask({
        method: 'POST',
        target: `${BEAM}?name=secret`,
        json,
        ...(as && { as }),
      })
      expect([as, refused.status, refused.code, refused.reached]).toEqual([as, 404, 'ENDPOINT_NOT_FOUND', []])
    }
    expect(gateway.upstream.requests).toEqual([])
    expect(await detail()).toEqual({
      status: 'ok',
      version: '3.18.0',
      catalogue: { knowsVersion: false, judgedAs: ['3.17.2'] },
      unknownRoutes: { refused: 4, lately: [`POST ${BEAM}`] },
    })
  })

  it('is not named by a stranger, whose words everybody would read', async () => {
    await start('3.17.2')
    await gateway.ask({ target: '/api/2.0/mlflow/hello' })
    await gateway.ask({ target: '/api/2.0/mlflow/hello', headers: ['Authorization: Bearer nobody'] })
    expect(await detail()).toMatchObject({ unknownRoutes: { refused: 2, lately: [] } })
  })

  it.each([
    ['another method', 'DELETE', '/api/2.0/mlflow/experiments/get', 'DELETE /api/2.0/mlflow/experiments/get'],
    [
      'under a wildcard of the router',
      'POST',
      '/gateway/gemini/v1beta/models/mine:count',
      'POST /gateway/gemini/v1beta/models/<>',
    ],
  ])('%s', async (_, method, target, name) => {
    await start('3.17.2')
    expect((await gateway.ask({ method, target, as: 'admin' })).status).toBe(404)
    expect(await detail()).toMatchObject({ unknownRoutes: { refused: 1, lately: [name] } })
  })

  it('is warned about when the version is not known', async () => {
    await start('3.18.0')
    expect(gateway.log.filter((line) => line.includes('catalogue:check'))).toHaveLength(1)
    await gateway.stop()
    await start('3.17.2')
    expect(gateway.log.filter((line) => line.includes('catalogue:check'))).toEqual([])
  })
})

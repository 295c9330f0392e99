import { describe, expect, it } from 'vitest'
import { row, SIGNED_IN } from '../../src/mlflow/row.ts'
import { createUnknownRoutes } from '../../src/mlflow/unknown-routes.ts'

const ROWS = [
  row('experiments.create', 'POST', '2.0/mlflow/experiments/create', SIGNED_IN),
  row('traces.get', 'GET', '3.0/mlflow/traces/<trace_id>/info', SIGNED_IN),
  row('files.get', 'GET', '2.0/mlflow-artifacts/artifacts/<path:artifact_path>', SIGNED_IN),
  row('ops.version', 'GET', '/version', SIGNED_IN),
]

describe('a route that no row describes', () => {
  it.each([
    ['/api/2.0/mlflow/experiments/teleport', '/api/2.0/mlflow/experiments/teleport'],
    ['/ajax-api/2.0/mlflow/experiments/teleport?name=secret', '/ajax-api/2.0/mlflow/experiments/teleport'],
    ['/api/3.0/mlflow/traces/tr-1/beam', '/api/3.0/mlflow/traces/<>/beam'],
    ['/api/3.0/mlflow/traces/tr-1', '/api/3.0/mlflow/traces/<>'],
    ['/api/3.0/mlflow/widgets/create', '/api/3.0/mlflow/widgets/create'],
    // A second word could be somebody's.
    ['/api/3.0/mlflow/widgets/merger-with-acme', '/api/3.0/mlflow/widgets/<>'],
    ['/api/3.0/mlflow/widgets/merger/info', '/api/3.0/mlflow/widgets/<>/info'],
    ['/api/3.0/mlflow/0a1b2c/info', '/api/3.0/mlflow/<>/info'],
    ['/api/3.0/mlflow/<script>', '/api/3.0/mlflow/<>'],
    ['/api/%33.0/mlflow', '/api/<>/mlflow'],
    ['/version/two', '/version/two'],
    ['/api/a/b/c/d/e/f/g/h/i/j/k/l/m', `/api${'/<>'.repeat(11)}`],
  ])('%s is named %s', (path, expected) => {
    const routes = createUnknownRoutes(ROWS)
    expect(routes.count('POST', path)).toBe(`POST ${expected}`)
    expect(routes.refused()).toBe(1)
  })

  it.each(['/', '', '/favicon.ico', '/wp-admin/api', '/apis/2.0', '//api/2.0/mlflow', '/__proto__'])(
    'but %j is none of MLflow’s',
    (path) => {
      const routes = createUnknownRoutes(ROWS)
      expect(routes.count('GET', path)).toBeUndefined()
      expect(routes.refused()).toBe(0)
    },
  )
})

it('keeps the sixteen newest names, each once', () => {
  const routes = createUnknownRoutes(ROWS)
  for (let index = 0; index < 1000; index++) routes.name(`GET /api/${index % 20}`)
  routes.name('GET /api/12')
  expect(routes.lately()).toHaveLength(16)
  expect(routes.lately().at(-1)).toBe('GET /api/12')
  expect(new Set(routes.lately()).size).toBe(16)
})

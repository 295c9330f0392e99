import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { CATALOGUE } from '../../src/mlflow/catalogue.ts'
import { compareCatalogue, type ServedRoute } from '../../src/mlflow/catalogue-check.ts'
import { KNOWN_VERSIONS, type KnownVersion } from '../../src/mlflow/version.ts'

function routesOf(version: KnownVersion): readonly ServedRoute[] {
  const file = new URL(`../fixtures/mlflow-${version}/routes.json`, import.meta.url)
  const { routes } = JSON.parse(readFileSync(file, 'utf8')) as { routes: readonly ServedRoute[] }
  return routes.filter(({ endpoint }) => endpoint !== 'Mount')
}

const BEAM: ServedRoute = { method: 'POST', path: '/api/2.0/mlflow/experiments/teleport', endpoint: 'beam' }

describe('the catalogue beside an installed MLflow', () => {
  it.each(KNOWN_VERSIONS)('%s: no difference', (version) => {
    expect(compareCatalogue(CATALOGUE, version, routesOf(version))).toEqual({
      ...{ version, knowsVersion: true, judgedAs: [version], unknown: [], missing: [] },
    })
  })

  it.each([
    ['3.17.2', '3.17.2', true, ['3.17.2']],
    ['3.18.0', '3.17.2', false, ['3.17.2']],
    ['2.22.5', '2.22.5', true, ['2.22.5']],
  ] as const)('%s with one route more: that one', (version, like, knowsVersion, judgedAs) => {
    expect(compareCatalogue(CATALOGUE, version, [...routesOf(like), BEAM])).toEqual({
      ...{ version, knowsVersion, judgedAs, unknown: [BEAM], missing: [] },
    })
  })

  it('with one route less: its row, unless another address of it is there', () => {
    const all = routesOf('3.17.2')
    const without = (pattern: RegExp) =>
      compareCatalogue(
        CATALOGUE,
        '3.17.2',
        all.filter(({ path }) => !pattern.test(path)),
      ).missing
    expect(without(/\/runs\/log-batch$/)).toEqual([
      { method: 'POST', path: '/api/2.0/mlflow/runs/log-batch', operation: 'runs.log_batch' },
      { method: 'POST', path: '/ajax-api/2.0/mlflow/runs/log-batch', operation: 'runs.log_batch' },
    ])
    expect(without(/^\/ajax-api\/2\.0\/mlflow\/runs\/log-batch$/)).toEqual([])
  })

  it('between two known versions: new is what neither has, missing what both have', () => {
    const { judgedAs, unknown, missing } = compareCatalogue(CATALOGUE, '3.5.0', [
      ...routesOf('3.10.1').filter(({ path }) => !path.endsWith('/runs/log-batch')),
      BEAM,
    ])
    expect(judgedAs).toEqual(['3.1.4', '3.10.1'])
    expect(unknown).toEqual([BEAM])
    expect(new Set(missing.map(({ operation }) => operation))).toEqual(new Set(['runs.log_batch']))
  })

  it('a route that only an older version had counts as new where its row is off', () => {
    const old = { method: 'POST', path: '/api/2.0/mlflow/traces/search', endpoint: '_search' }
    const { unknown } = compareCatalogue(CATALOGUE, '3.17.2', [...routesOf('3.17.2'), old])
    expect(unknown).toEqual([old])
  })
})

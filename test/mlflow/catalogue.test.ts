import { describe, expect, it } from 'vitest'
import { CATALOGUE } from '../../src/mlflow/catalogue.ts'
import type { Need } from '../../src/mlflow/operation.ts'
import { isServedBy } from '../../src/mlflow/version.ts'
import authorization from '../fixtures/mlflow-3.17.2/authorization.json' with { type: 'json' }
import served from '../fixtures/mlflow-3.17.2/routes.json' with { type: 'json' }

/** `GET /x/<>/<path>`, whatever the parameters are called and in whichever framework's notation. */
function key(method: string, path: string): string {
  return `${method} ${path.replace(/<path:\w+>|\{\w+:path\}/g, '<path>').replace(/<\w+>|\{\w+\}/g, '<>')}`
}

const rows = CATALOGUE.filter(({ versions }) => isServedBy(versions, ['3.17.2'])).flatMap((operation) =>
  operation.paths.flatMap((path) =>
    operation.methods.map((method) => ({ key: key(method, path.text), operation })),
  ),
)
const routes = new Set(
  served.routes.filter(({ endpoint }) => endpoint !== 'Mount').map(({ method, path }) => key(method, path)),
)

describe('the catalogue against the routes that MLflow 3.17.2 serves', () => {
  it('describes every route MLflow serves', () => {
    const described = new Set(rows.map((row) => row.key))
    expect([...routes].filter((route) => !described.has(route))).toEqual([])
  })

  it('describes no route MLflow does not serve', () => {
    expect(rows.map((row) => row.key).filter((route) => !routes.has(route))).toEqual([])
  })

  it('describes each route once, under one name', () => {
    const seen = rows.map((row) => row.key)
    expect(seen.filter((route, index) => seen.indexOf(route) !== index)).toEqual([])
    const names = CATALOGUE.map(({ name }) => name)
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
  })

  it('has a row for each of the 267 operations, with all the paths of the operation in it', () => {
    const byRoute = new Map(rows.map((row) => [row.key, row.operation]))
    expect(authorization.operations).toHaveLength(267)
    for (const { operation, methods, paths } of authorization.operations) {
      const found = new Set(
        methods.flatMap((method) => paths.map((path) => byRoute.get(key(method, path))?.name)),
      )
      expect([operation, found.size, found.has(undefined)]).toEqual([operation, 1, false])
    }
  })
})

describe('what the rows ask for, against what each operation must require', () => {
  const LEVELS = { not_denied: -1, read: 0, use: 1, update: 2, create: 2, delete: 3, manage: 3 } as const
  const byRoute = new Map(rows.map((row) => [row.key, row.operation]))

  it.each(authorization.operations.map((each) => [each.operation, each] as const))(
    '%s is no laxer',
    (_, each) => {
      const operation = byRoute.get(key(each.methods[0] ?? '', each.paths[0] ?? ''))
      const kinds = new Set(operation?.needs.map(({ kind }) => kind))
      if (kinds.has('admin') || kinds.has('nobody')) return
      for (const demand of each.requires) {
        if ('rule' in demand && demand.rule !== undefined) {
          expect(demand.rule).not.toBe('admin')
          expect(demand.rule).not.toBe('deny')
          if (demand.rule === 'authenticated') expect(kinds.has('public')).toBe(false)
          continue
        }
        const wanted = LEVELS[(demand as { action: keyof typeof LEVELS }).action]
        const asked = operation?.needs.map((need) =>
          need.kind === 'resource' ? LEVELS[need.action] : need.kind === 'narrow' ? 0 : -1,
        )
        expect(Math.max(...(asked ?? []))).toBeGreaterThanOrEqual(wanted)
      }
      // As many resources are asked about as the operation touches.
      const wanted = each.requires.filter((demand) => 'action' in demand).length
      const asked =
        operation?.needs.filter(({ kind }) => kind === 'resource' || kind === 'narrow').length ?? 0
      const byRule = operation?.rules.length ?? 0
      expect(asked + byRule).toBeGreaterThanOrEqual(wanted)
    },
  )
})

describe('the rows themselves', () => {
  it('each ask for something', () => {
    const asks = (need: Need) => need.kind !== 'resource' || need.action !== 'not_denied'
    expect(CATALOGUE.filter(({ needs }) => !needs.some(asks))).toEqual([])
  })

  it('leave only the shell-independent few open to anybody', () => {
    const open = CATALOGUE.filter(({ needs }) => needs.some(({ kind }) => kind === 'public')).map(
      ({ name }) => name,
    )
    expect(open).toEqual(['ui.static_file', 'ops.server_info', 'ops.health'])
  })

  it('let a read-only token change nothing', () => {
    const changing =
      /\.(create|update|delete|restore|set|log|upload|rename|transition|finalize|complete|abort|submit|cancel)/
    const wrong = CATALOGUE.filter(
      ({ name, readOnly, needs }) =>
        readOnly && changing.test(name) && !needs.some(({ kind }) => kind === 'nobody'),
    )
    expect(wrong.map(({ name }) => name)).toEqual(['artifacts.create_presigned_download'])
  })
})

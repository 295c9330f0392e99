import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { CATALOGUE } from '../../src/mlflow/catalogue.ts'
import { isServedBy, KNOWN_VERSIONS, type KnownVersion } from '../../src/mlflow/version.ts'

type Routes = {
  readonly mlflow: string
  readonly messages: Readonly<Record<string, readonly { readonly name: string }[]>>
  readonly routes: readonly { readonly method: string; readonly path: string; readonly endpoint: string }[]
}

/** `GET /x/<>/<path>`, whatever the parameters are called and in whichever framework's notation. */
function key(method: string, path: string): string {
  return `${method} ${path.replace(/<path:\w+>|\{\w+:path\}/g, '<path>').replace(/<\w+>|\{\w+\}/g, '<>')}`
}

function recorded(version: KnownVersion): Routes {
  const file = new URL(`../fixtures/mlflow-${version}/routes.json`, import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8')) as Routes
}

function servedBy(version: KnownVersion): ReadonlySet<string> {
  const { mlflow, routes } = recorded(version)
  expect(mlflow).toBe(version)
  const served = routes.filter(({ endpoint }) => endpoint !== 'Mount')
  return new Set(served.map(({ method, path }) => key(method, path)))
}

/** A row, with the routes in it. */
const rows = CATALOGUE.map(({ name, methods, paths, versions }) => ({
  name,
  versions,
  routes: paths.flatMap((path) => methods.map((method) => key(method, path.text))),
}))

describe.each(KNOWN_VERSIONS)('the catalogue against MLflow %s', (version) => {
  const served = servedBy(version)
  const inRange = rows.filter(({ versions }) => isServedBy(versions, [version]))

  it('has each route that it serves in a row of its range', () => {
    const described = new Set(inRange.flatMap(({ routes }) => routes))
    expect([...served].filter((route) => !described.has(route))).toEqual([])
  })

  it('has no row in its range that it does not serve', () => {
    const idle = inRange.filter(({ routes }) => !routes.some((route) => served.has(route)))
    expect(idle.map(({ name }) => name)).toEqual([])
  })

  it('has no row outside its range that it serves', () => {
    const others = rows.filter(({ versions }) => !isServedBy(versions, [version]))
    const wrong = others.filter(({ routes }) => routes.some((route) => served.has(route)))
    expect(wrong.map(({ name }) => name)).toEqual([])
  })

  it('has one row for each route, in its range', () => {
    const seen = inRange.flatMap(({ routes }) => routes)
    expect(seen.filter((route, index) => seen.indexOf(route) !== index)).toEqual([])
  })
})

it('says of no row more than it must', () => {
  const redundant = rows.filter(({ versions: { since, until } }) => since === '2.22.5' || until === '3.17.2')
  // In a list of rows that are all from a later version on, the oldest has to be named.
  expect(redundant.map(({ name }) => name).toSorted()).toEqual([
    'datasets.search_stub',
    'gateway_proxy.gateway_proxy',
  ])
})

it('knows of one row alone that its oldest versions serve at fewer paths', () => {
  const partly = KNOWN_VERSIONS.flatMap((version) => {
    const served = servedBy(version)
    return rows
      .filter(({ versions }) => isServedBy(versions, [version]))
      .filter(({ routes }) => routes.some((route) => !served.has(route)))
      .map(({ name }) => `${version} ${name}`)
  })
  expect(partly).toEqual(['2.22.5 traces.get_artifact', '3.1.4 traces.get_artifact'])
})

it('reads of every version what it reads: none has a field in a message that 3.17.2 does not have there', () => {
  const { messages: newest } = recorded('3.17.2')
  const others = KNOWN_VERSIONS.flatMap((version) =>
    Object.entries(recorded(version).messages).flatMap(([message, fields]) => {
      const known = new Set(newest[message]?.map(({ name }) => name))
      const extra = fields.filter(({ name }) => newest[message] !== undefined && !known.has(name))
      return extra.map(({ name }) => `${version} ${message}.${name}`)
    }),
  )
  expect(others).toEqual([])
})

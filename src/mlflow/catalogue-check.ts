import type { Operation } from './operation.ts'
import { isServedBy, isServedByAll, KNOWN_VERSIONS, type KnownVersion, knownNear } from './version.ts'

/** A route as the frameworks of MLflow write it: `/api/2.0/mlflow/traces/<request_id>` or `/gateway/{name}`. */
export type ServedRoute = { readonly method: string; readonly path: string; readonly endpoint: string }

/** What an MLflow serves, beside what the catalogue says that its version does. */
export type CatalogueDifference = {
  readonly version: string
  readonly knowsVersion: boolean
  /** The known versions whose rows are on in front of it. */
  readonly judgedAs: readonly KnownVersion[]
  /** Served, and refused to everybody by the gateway: no row that is on has it. */
  readonly unknown: readonly ServedRoute[]
  /** In a row that is on for certain, and not served: requests for it end with a 404 of MLflow's. */
  readonly missing: readonly { readonly method: string; readonly path: string; readonly operation: string }[]
}

/** Compares both ways. Names of parameters do not count. */
export function compareCatalogue(
  catalogue: readonly Operation[],
  version: string,
  served: readonly ServedRoute[],
): CatalogueDifference {
  const near = knownNear(version)
  const judgedAs = near?.neighbours ?? KNOWN_VERSIONS
  const on = catalogue.filter(({ versions }) => isServedBy(versions, judgedAs)).flatMap(routesOf)
  const certain = catalogue.filter(({ versions }) => isServedByAll(versions, judgedAs))
  const known = new Set(on.map(keyOf))
  const there = new Set(served.map(keyOf))
  return {
    version,
    knowsVersion: near?.isKnown ?? false,
    judgedAs,
    unknown: served.filter((route) => !known.has(keyOf(route))),
    missing: certain.flatMap((operation) => {
      const routes = routesOf(operation)
      const absent = routes.filter((route) => !there.has(keyOf(route)))
      // One operation may have got a second address later than the first.
      return absent.length === routes.length ? absent : []
    }),
  }
}

function routesOf({ name, methods, paths }: Operation) {
  return paths.flatMap((path) => methods.map((method) => ({ method, path: path.text, operation: name })))
}

function keyOf({ method, path }: { readonly method: string; readonly path: string }): string {
  const text = path.replace(/<path:\w+>|\{\w+:path\}/g, '<path>').replace(/<\w+(?::\w+)?>|\{\w+\}/g, '<>')
  return `${method} ${text}`
}

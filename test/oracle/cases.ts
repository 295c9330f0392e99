import { readFileSync } from 'node:fs'
import type { Account } from './accounts.ts'
import { ASKED_FIRST } from './comparison.ts'
import type { Template, Templates } from './request.ts'
import { AI_GATEWAY } from './requests/ai-gateway.ts'
import { ARTIFACTS } from './requests/artifacts.ts'
import { REGISTRY } from './requests/registry.ts'
import { REVIEW } from './requests/review.ts'
import { SERVER } from './requests/server.ts'
import { TRACES } from './requests/traces.ts'
import { TRACKING } from './requests/tracking.ts'
import type { Side } from './seed.ts'

/** One well-formed request of an operation, whoever sends it. */
export type Question = {
  /** MLflow's name for it, as in the list of its operations. */
  readonly operation: string
  /** What is special about the request, empty for the plain one. */
  readonly variant: string
  readonly method: string
  readonly path: string
  readonly template: Template
}

export type Case = { readonly question: Question; readonly account: Account; readonly side: Side }

const TEMPLATES: Templates = {
  ...TRACKING,
  ...ARTIFACTS,
  ...TRACES,
  ...REGISTRY,
  ...REVIEW,
  ...AI_GATEWAY,
  ...SERVER,
}

type Listed = {
  readonly operation: string
  /** The family. */
  readonly resource: string
  readonly methods: readonly string[]
  readonly paths: readonly string[]
}

const LIST = new URL('../fixtures/mlflow-3.17.2/authorization.json', import.meta.url)

/** Every operation of MLflow 3.17.2. */
export function operations(): readonly Listed[] {
  return (JSON.parse(readFileSync(LIST, 'utf8')) as { operations: Listed[] }).operations
}

/**
 * The requests to every operation.
 *
 * @param spelling Of the paths it is served at, the one for clients or the one for the interface, where there are two.
 * @throws {Error} If an operation has no template, or a template no operation.
 */
export function questions(spelling: 'api' | 'ajax'): readonly Question[] {
  const unused = new Set(Object.keys(TEMPLATES))
  const asked = operations().flatMap(({ operation, methods, paths }) =>
    methods.flatMap((method) => {
      const keys = Object.keys(TEMPLATES).filter((key) => fits(key, operation, method))
      if (keys.length === 0) throw new Error(`no request for ${method} ${operation}`)
      return keys.map((key) => {
        unused.delete(key)
        const template = TEMPLATES[key] as Template
        const variant = key.split('|')[0]?.slice(operation.length + 1) ?? ''
        const path = paths.at(spelling === 'api' ? -1 : 0) ?? ''
        return { operation, variant, method, path, template }
      })
    }),
  )
  for (const key of unused) throw new Error(`no operation for the request ${key}`)
  return asked.toSorted((a, b) => Number(ASKED_FIRST.has(b.operation)) - Number(ASKED_FIRST.has(a.operation)))
}

/** True for `GetRun`, `GetRun/variant` and `GetRun|GET`. */
function fits(key: string, operation: string, method: string): boolean {
  const [name = '', only] = key.split('|')
  return (only === undefined || only === method) && (name === operation || name.startsWith(`${operation}/`))
}

import type { IncomingMessage } from 'node:http'
import { isGatewayError } from '../../src/errors.ts'
import { type Call, readBody, readTarget } from '../../src/mlflow/call.ts'
import { operationNamed } from '../../src/mlflow/catalogue.ts'
import type { Experiment, Lookup, RegistryKind } from '../../src/mlflow/lookup.ts'
import type { Operation } from '../../src/mlflow/operation.ts'
import type { AnswerTo, QuestionKind } from '../../src/mlflow/questions.ts'
import { type Access, compileAccess } from '../../src/policy/access.ts'
import type { Grant, GrantType, Level, Match } from '../../src/policy/grants.ts'

export type CallParts = {
  /** Defaults to the row's first. */
  readonly method?: string
  /** Values for the path's parameters, as they stand on the request line. */
  readonly path?: Readonly<Record<string, string>>
  /** What follows the `?`. */
  readonly query?: string
  readonly headers?: IncomingMessage['headers']
  /** A JSON text, or a value that becomes one. */
  readonly body?: unknown
}

/** A request for a row of the catalogue, read the way the gateway reads it. */
export function callFor(name: string, parts: CallParts = {}): Call {
  const operation = operationNamed(name)
  const template = operation.paths[0]
  if (template === undefined) throw new Error(`${name} has no path`)
  const path = template.text.replace(/<(?:path:)?(\w+)>/g, (_, param: string) => parts.path?.[param] ?? param)
  const target = readTarget(`${path}?${parts.query ?? ''}`, [{ operation, template }])
  if (target === undefined) throw new Error(`${path} is no path of ${name}`)
  const method = parts.method ?? operation.methods[0] ?? 'GET'
  return { ...target, method, headers: parts.headers ?? {}, ...readBody(bytesOf(parts.body)) }
}

function bytesOf(body: unknown): Buffer {
  if (body === undefined) return Buffer.alloc(0)
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
}

/** A call of a row that exists for the test alone. */
export function callOf(operation: Operation, parts: CallParts = {}): Call {
  const template = operation.paths[0]
  if (template === undefined) throw new Error(`${operation.name} has no path`)
  const target = readTarget(`${template.text}?${parts.query ?? ''}`, [{ operation, template }])
  if (target === undefined) throw new Error('no such path')
  const method = parts.method ?? operation.methods[0] ?? 'GET'
  return { ...target, method, headers: parts.headers ?? {}, ...readBody(bytesOf(parts.body)) }
}

/** What a step gives, or with which code and message it refuses. */
export function attempt<T>(step: () => T): T | string {
  try {
    return step()
  } catch (fault) {
    if (!isGatewayError(fault)) throw fault
    return `${fault.code}: ${fault.message}`
  }
}

/** What the call would be forwarded with, as text. */
export function textOf(call: Call): string {
  return Buffer.from(call.bytes ?? []).toString('utf8')
}

export type World = {
  /** By id. */
  readonly experiments?: Readonly<
    Record<string, { readonly name: string; readonly artifactRoot?: string | undefined }>
  >
  /** Run id → experiment id. */
  readonly runs?: Readonly<Record<string, string>>
  /** Logged model id → experiment id. */
  readonly models?: Readonly<Record<string, string>>
  /** Trace id → experiment id. */
  readonly traces?: Readonly<Record<string, string>>
  readonly registry?: Readonly<Record<string, RegistryKind>>
  /** What MLflow says of anything else: by kind of question, then by key. */
  readonly about?: { readonly [K in QuestionKind]?: Readonly<Record<string, AnswerTo<K>>> }
}

export type ScriptedLookup = Lookup & {
  /** Every question asked, as `kind key`. */
  readonly asked: string[]
  /** Every `forget`, as `kind key`. */
  readonly forgotten: string[]
}

/** A look-up that knows a small world, and remembers what it was asked. */
export function lookupIn(world: World): ScriptedLookup {
  const asked: string[] = []
  const forgotten: string[] = []
  const experiments: Experiment[] = Object.entries(world.experiments ?? {}).map(
    ([id, { name, ...rest }]) => ({
      id,
      name,
      artifactRoot: 'artifactRoot' in rest ? rest.artifactRoot : id,
    }),
  )
  const answer = async <T>(question: string, value: T): Promise<T> => {
    asked.push(question)
    return value
  }
  const own = <T>(record: Readonly<Record<string, T>> | undefined, key: string): T | undefined =>
    record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined
  return {
    asked,
    forgotten,
    experiment: (id) =>
      answer(
        `experiment ${id}`,
        experiments.find((each) => each.id === id),
      ),
    experimentByName: (name) =>
      answer(
        `name ${name}`,
        experiments.find((each) => each.name === name),
      ),
    experimentOfRun: (id) => answer(`run ${id}`, own(world.runs, id)),
    experimentOfModel: (id) => answer(`model ${id}`, own(world.models, id)),
    experimentOfTrace: (id) => answer(`trace ${id}`, own(world.traces, id)),
    registered: (name) => {
      const kind = own(world.registry, name)
      return answer(`registry ${name}`, kind && { kind, name })
    },
    about: (kind, key) => answer(`${kind} ${key}`, own(world.about?.[kind], key)),
    registryKind: (name) => answer(`registry ${name}`, own(world.registry, name)),
    forget: (kind, key) => {
      forgotten.push(`${kind} ${key}`)
    },
    clear: () => undefined,
    sizes: () => ({}),
  }
}

export function grant(
  resourceType: GrantType,
  match: Match,
  pattern: string,
  level: Level,
  expiresAt?: number,
): Grant {
  return { resourceType, match, pattern, level, expiresAt }
}

/** The access of somebody with these grants in one role, at second 1000, nothing by default. */
export function accessWith(grants: readonly Grant[], defaultLevel: Level = 'NO_PERMISSIONS'): Access {
  return compileAccess([{ id: 'role', name: 'role', grants }], { defaultLevel, now: 1000 })
}

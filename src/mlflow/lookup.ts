import { GatewayError } from '../errors.ts'
import { Answers } from './answers.ts'
import type { Upstream } from './upstream.ts'

/** What the gateway knows of an experiment: its name, and where in the artifact store it lies. */
export type Experiment = {
  readonly id: string
  readonly name: string
  /** Path below `mlflow-artifacts:/`, without slashes at the ends; `undefined` if it lies elsewhere. */
  readonly artifactRoot: string | undefined
}

export type RegistryKind = 'registered_model' | 'prompt'

/** Answers who owns what, from memory where it can. `undefined`: MLflow knows no such thing. */
export type Lookup = {
  experiment(id: string): Promise<Experiment | undefined>
  experimentByName(name: string): Promise<Experiment | undefined>
  /** The experiment of a run; it never changes. */
  experimentOfRun(runId: string): Promise<string | undefined>
  /** The experiment of a logged model; it never changes. */
  experimentOfModel(modelId: string): Promise<string | undefined>
  /** The experiment of a trace. It can be moved, so an answer is good for {@link TRACE_TTL} only. */
  experimentOfTrace(traceId: string): Promise<string | undefined>
  registryKind(name: string): Promise<RegistryKind | undefined>
  /** Forgets what may have changed: an experiment's name, a model's kind. */
  forget(kind: 'experiment' | 'model', key: string): void
  clear(): void
  sizes(): Readonly<Record<string, number>>
}

type Options = {
  readonly upstream: Pick<Upstream, 'getJson'>
  /** Entries kept of each kind. */
  readonly size?: number
  /** Seconds that a name is believed without asking again: changes that do not pass through us. */
  readonly nameTtl?: number
  /** Seconds. */
  readonly now?: () => number
}

const API = '/api/2.0/mlflow'

/** Seconds. Long enough for the few requests that a client or a page makes of one trace in a row. */
const TRACE_TTL = 2

/** MLflow writes the tag on every prompt (mlflow.prompt.constants, 3.17.2). */
export const PROMPT_TAG = 'mlflow.prompt.is_prompt'

/**
 * Looks ids up at the upstream, with the gateway's own connection; concurrent questions share one look-up.
 *
 * @throws {GatewayError} Every method: `ERR_UPSTREAM_*` if MLflow gives no usable answer. Never a guess.
 */
export function createLookup({ upstream, size = 50_000, nameTtl = 60, now = uptime }: Options): Lookup {
  const cache = <V extends object | string>(ask: (key: string) => Promise<V | undefined>, ttl: number) =>
    new Answers<V>({ ask, size, ttl, now })

  const ask = async (
    path: string,
    name: string,
    key: string,
  ): Promise<Record<string, unknown> | undefined> => {
    const { status, body } = await upstream.getJson(`${API}/${path}?${name}=${encodeURIComponent(key)}`)
    if (status === 404) return undefined
    if (status !== 200 || !isObject(body)) throw invalidAnswer(`${path} answered ${status}`)
    return body
  }

  const experiments = cache(async (id) => {
    const found = readExperiment(await ask('experiments/get', 'experiment_id', id))
    return found?.id === id ? found : undefined
  }, nameTtl)
  const experimentNames = cache(async (name) => {
    const found = readExperiment(await ask('experiments/get-by-name', 'experiment_name', name))
    // A case-insensitive database may answer with another name: that one is not the one asked about.
    return found?.name === name ? found : undefined
  }, nameTtl)
  const runs = cache((id) => ownerOf(ask('runs/get', 'run_id', id), ['run', 'info'], 'run_id', id), 0)
  const models = cache((id) => ownerOf(askModel(upstream, id), ['model', 'info'], 'model_id', id), 0)
  const traces = cache((id) => experimentOfTrace(upstream, id), TRACE_TTL)
  const kinds = cache(async (name): Promise<RegistryKind | undefined> => {
    const found = objectAt(await ask('registered-models/get', 'name', name), ['registered_model'])
    if (found?.['name'] !== name) return undefined
    return hasPromptTag(found) ? 'prompt' : 'registered_model'
  }, nameTtl)

  return {
    experiment: (id) => experiments.get(id),
    experimentByName: (name) => experimentNames.get(name),
    experimentOfRun: (id) => runs.get(id),
    experimentOfModel: (id) => models.get(id),
    experimentOfTrace: (id) => traces.get(id),
    registryKind: (name) => kinds.get(name),
    forget: (kind, key) => {
      if (kind === 'model') kinds.forget(key)
      else {
        experiments.forget(key)
        experimentNames.clear()
      }
    },
    clear: () => {
      for (const each of [experiments, experimentNames, runs, models, traces, kinds]) each.clear()
    },
    sizes: () => ({
      experiments: experiments.size,
      experimentNames: experimentNames.size,
      runs: runs.size,
      models: models.size,
      traces: traces.size,
      kinds: kinds.size,
    }),
  }
}

function uptime(): number {
  return performance.now() / 1000
}

async function askModel(
  upstream: Pick<Upstream, 'getJson'>,
  id: string,
): Promise<Record<string, unknown> | undefined> {
  const { status, body } = await upstream.getJson(`${API}/logged-models/${encodeURIComponent(id)}`)
  if (status === 404) return undefined
  if (status !== 200 || !isObject(body)) throw invalidAnswer(`logged-models answered ${status}`)
  return body
}

/**
 * A trace that is there without an experiment that can be read off it is a fault: it must not count as absent, which
 * would leave its id to whoever asks for it.
 */
async function experimentOfTrace(
  upstream: Pick<Upstream, 'getJson'>,
  id: string,
): Promise<string | undefined> {
  const { status, body } = await upstream.getJson(`/api/3.0/mlflow/traces/${encodeURIComponent(id)}`)
  if (status === 404) return undefined
  const info = objectAt(body, ['trace', 'trace_info'])
  const owner = objectAt(info, ['trace_location', 'mlflow_experiment'])?.['experiment_id']
  if (status !== 200 || info?.['trace_id'] !== id || typeof owner !== 'string') {
    throw invalidAnswer(`traces answered ${status}`)
  }
  return owner
}

/** The experiment id in an answer, if the answer is about the id that was asked for. */
async function ownerOf(
  answer: Promise<Record<string, unknown> | undefined>,
  path: readonly string[],
  idField: string,
  id: string,
): Promise<string | undefined> {
  const info = objectAt(await answer, path)
  const owner = info?.['experiment_id']
  return info?.[idField] === id && typeof owner === 'string' ? owner : undefined
}

function readExperiment(answer: Record<string, unknown> | undefined): Experiment | undefined {
  const found = objectAt(answer, ['experiment'])
  const id = found?.['experiment_id']
  const name = found?.['name']
  if (typeof id !== 'string' || typeof name !== 'string') return undefined
  return { id, name, artifactRoot: artifactRoot(found?.['artifact_location']) }
}

/** `mlflow-artifacts:/2` and `mlflow-artifacts://host/2` → `2`. */
function artifactRoot(location: unknown): string | undefined {
  const match =
    typeof location === 'string' ? /^mlflow-artifacts:(?:\/\/[^/]*)?\/+(.*?)\/*$/.exec(location) : null
  return match?.[1]
}

/** True for a registered model or a version that carries MLflow's own mark of a prompt. */
export function hasPromptTag(row: Readonly<Record<string, unknown>>): boolean {
  const tags = row['tags']
  if (!Array.isArray(tags)) return false
  return tags.some(
    (tag) => isObject(tag) && tag['key'] === PROMPT_TAG && String(tag['value']).toLowerCase() === 'true',
  )
}

function objectAt(value: unknown, path: readonly string[]): Record<string, unknown> | undefined {
  let at = value
  for (const step of path) at = isObject(at) ? at[step] : undefined
  return isObject(at) ? at : undefined
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalidAnswer(what: string): GatewayError {
  return new GatewayError(
    'ERR_UPSTREAM_INVALID',
    'The tracking server did not say who owns what was asked for',
    {
      cause: new Error(what),
    },
  )
}

import { after, type Soon } from '../soon.ts'
import { Answers } from './answers.ts'
import {
  type Experiment,
  invalidAnswer,
  isObject,
  objectAt,
  ownerOf,
  type Registered,
  type RegistryKind,
  readExperiment,
  readRegistered,
} from './lookup-answer.ts'
import type { Question } from './question.ts'
import { type AnswerTo, QUESTIONS, type QuestionKind } from './questions.ts'
import type { Upstream } from './upstream.ts'

export {
  type Experiment,
  hasPromptTag,
  isObject,
  PROMPT_TAG,
  type Registered,
  type RegistryKind,
} from './lookup-answer.ts'

/**
 * Answers who owns what, from memory where it can. `undefined`: MLflow knows no such thing, and nothing else. Where its
 * database does not tell cases apart (common on MySQL), names and ids lead to what MLflow would take them for, under
 * that thing's own name.
 */
export type Lookup = {
  experiment(id: string): Soon<Experiment | undefined>
  experimentByName(name: string): Soon<Experiment | undefined>
  /** The experiment of a run; it never changes. */
  experimentOfRun(runId: string): Soon<string | undefined>
  /** The experiment of a logged model; it never changes. */
  experimentOfModel(modelId: string): Soon<string | undefined>
  /** The experiment of a trace. It can be moved, so an answer is good for {@link TRACE_TTL} only. */
  experimentOfTrace(traceId: string): Soon<string | undefined>
  registered(name: string): Soon<Registered | undefined>
  /** For names that MLflow itself has given. */
  registryKind(name: string): Soon<RegistryKind | undefined>
  /** What MLflow says of anything else, see `questions.ts`. */
  about<K extends QuestionKind>(kind: K, key: string): Soon<AnswerTo<K> | undefined>
  /** Forgets what may have changed: an experiment's name, a model's kind, or (`kind/key`, `kind/` for all) the answer to a question. */
  forget(kind: 'experiment' | 'model' | 'resource', key: string): void
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
  /** Counted up with each question: whether the answer was in memory. */
  readonly use?: { hits: number; misses: number } | undefined
}

const API = '/api/2.0/mlflow'

/** Seconds. Long enough for the few requests that a client or a page makes of one trace in a row. */
const TRACE_TTL = 2

/**
 * Looks ids up at the upstream, with the gateway's own connection; concurrent questions share one look-up.
 *
 * @throws {GatewayError} Every method: `ERR_UPSTREAM_*` if MLflow gives no usable answer. Never a guess.
 */
export function createLookup({ upstream, size = 50_000, nameTtl = 60, now = uptime, use }: Options): Lookup {
  const cache = <V extends object | string>(ask: (key: string) => Promise<V | undefined>, ttl: number) =>
    new Answers<V>({ ask, size, ttl, now, use })

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
    if (found !== undefined && found.id !== id)
      throw invalidAnswer('experiments/get answered with another one')
    return found
  }, nameTtl)
  const experimentNames = cache(
    async (name) => readExperiment(await ask('experiments/get-by-name', 'experiment_name', name)),
    nameTtl,
  )
  const runs = cache((id) => ownerOf(ask('runs/get', 'run_id', id), ['run', 'info'], 'run_id', id), 0)
  const models = cache((id) => ownerOf(askModel(upstream, id), ['model', 'info'], 'model_id', id), 0)
  const traces = cache((id) => experimentOfTrace(upstream, id), TRACE_TTL)
  const registry = cache(
    async (name) => readRegistered(await ask('registered-models/get', 'name', name)),
    nameTtl,
  )

  const others = new Map(
    Object.entries<Question<object | string>>(QUESTIONS).map(([kind, { ask: put, ttl }]) => {
      const answers = cache((key: string) => put((path) => askUpstream(upstream, path), key), ttl)
      return [kind, answers] as const
    }),
  )

  return {
    about: <K extends QuestionKind>(kind: K, key: string) =>
      others.get(kind)?.get(key) as Soon<AnswerTo<K> | undefined>,
    experiment: (id) => experiments.get(id),
    experimentByName: (name) => experimentNames.get(name),
    experimentOfRun: (id) => runs.get(id),
    experimentOfModel: (id) => models.get(id),
    experimentOfTrace: (id) => traces.get(id),
    registered: (name) => registry.get(name),
    registryKind: (name) => after(registry.get(name), (found) => found?.kind),
    forget: (kind, key) => {
      if (kind === 'model') registry.forget(key)
      else if (kind === 'resource') {
        const slash = key.indexOf('/')
        const [answers, asked] = [others.get(key.slice(0, slash)), key.slice(slash + 1)]
        if (asked === '') answers?.clear()
        else answers?.forget(asked)
      } else {
        experiments.forget(key)
        experimentNames.clear()
      }
    },
    clear: () => {
      for (const each of [experiments, experimentNames, runs, models, traces, registry, ...others.values()]) {
        each.clear()
      }
    },
    sizes: () => ({
      experiments: experiments.size,
      experimentNames: experimentNames.size,
      runs: runs.size,
      models: models.size,
      traces: traces.size,
      kinds: registry.size,
      ...Object.fromEntries([...others].map(([kind, answers]) => [kind, answers.size])),
    }),
  }
}

function uptime(): number {
  return performance.now() / 1000
}

/** @returns The JSON object under the path, or `undefined` for a 404. */
async function askUpstream(
  upstream: Pick<Upstream, 'getJson'>,
  path: string,
): Promise<Record<string, unknown> | undefined> {
  const { status, body } = await upstream.getJson(`/api/${path}`)
  if (status === 404) return undefined
  if (status !== 200 || !isObject(body)) throw invalidAnswer(`${path.split('?')[0]} answered ${status}`)
  return body
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
  // A server without the route (before 3.2) says 404 too, but not in MLflow's words.
  if (status === 404 && !isAbsence(body)) return experimentOfOldTrace(upstream, id)
  if (status === 404) return undefined
  const info = objectAt(body, ['trace', 'trace_info'])
  const owner = objectAt(info, ['trace_location', 'mlflow_experiment'])?.['experiment_id']
  if (status !== 200 || info?.['trace_id'] !== id || typeof owner !== 'string') {
    throw invalidAnswer(`traces answered ${status}`)
  }
  return owner
}

function isAbsence(body: unknown): boolean {
  return isObject(body) && body['error_code'] === 'RESOURCE_DOES_NOT_EXIST'
}

/** From the API of MLflow 2.14 to 3.1 (`GetTraceInfo`), where a trace is called a request. */
async function experimentOfOldTrace(
  upstream: Pick<Upstream, 'getJson'>,
  id: string,
): Promise<string | undefined> {
  const { status, body } = await upstream.getJson(`${API}/traces/${encodeURIComponent(id)}/info`)
  if (status === 404 && isAbsence(body)) return undefined
  const info = objectAt(body, ['trace_info'])
  const owner = info?.['experiment_id']
  if (status !== 200 || info?.['request_id'] !== id || typeof owner !== 'string') {
    throw invalidAnswer(`traces/info answered ${status}`)
  }
  return owner
}

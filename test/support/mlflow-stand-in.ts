import { THINGS } from './stand-in-things.ts'
import {
  headerValues,
  type RecordedRequest,
  type ScriptedAnswer,
  type UpstreamHandler,
  type UpstreamHandlers,
} from './upstream.ts'

/** Ids of the things the stand-in knows: `A` lies where alpha's people may go, `B` where only admins may. */
export const A = '1'
export const B = '2'
export const RUN_A = 'a'.repeat(32)
export const RUN_B = 'b'.repeat(32)
export const MODEL_A = `m-${'a'.repeat(32)}`
export const MODEL_B = `m-${'b'.repeat(32)}`

export const TRACE_A = `tr-${'a'.repeat(32)}`
export const TRACE_B = `tr-${'b'.repeat(32)}`

/** Experiments by id: name, and where their artifacts lie. */
const EXPERIMENTS: Readonly<Record<string, readonly [name: string, location: string]>> = {
  '0': ['Default', 'mlflow-artifacts:/0'],
  [A]: ['alpha/one', 'mlflow-artifacts:/1'],
  [B]: ['beta/secret', 'mlflow-artifacts:/2'],
  // Readable by name, but its files are somewhere else.
  '4': ['alpha/bucket', 's3://bucket/4'],
  '5': ['alpha/everything', 'mlflow-artifacts:/'],
  '6': ['alpha/mounted', 'mlflow-artifacts:/2'],
  '7': ['alpha/workspaced', 'mlflow-artifacts:/workspaces/default/7'],
}

const RUNS: Readonly<Record<string, string>> = { [RUN_A]: A, [RUN_B]: B }
const LOGGED_MODELS: Readonly<Record<string, string>> = { [MODEL_A]: A, [MODEL_B]: B }

const TRACES: Readonly<Record<string, string>> = { [TRACE_A]: A, [TRACE_B]: B }

const PROMPT_TAG = { key: 'mlflow.prompt.is_prompt', value: 'true' }

/** Registered models by name, and whether they are prompts. */
const REGISTRY: Readonly<Record<string, boolean>> = {
  'alpha-model': false,
  'beta-model': false,
  'alpha-prompt': true,
  'beta-prompt': true,
}

const NOT_FOUND: ScriptedAnswer = {
  status: 404,
  body: { error_code: 'RESOURCE_DOES_NOT_EXIST', message: 'no such thing' },
}

/** Where the files of the version of that model are. */
function filesOf(name: string): string {
  return name.startsWith('alpha')
    ? `mlflow-artifacts:/${A}/${RUN_A}/artifacts/model`
    : `mlflow-artifacts:/${B}/${RUN_B}/artifacts/model`
}

/** Rows of the lists, hidden and readable mixed. */
export const LISTS: Readonly<Record<string, object>> = {
  'experiments/search': { experiments: Object.keys(EXPERIMENTS).map((id) => experiment(id)) },
  'registered-models/search': { registered_models: Object.keys(REGISTRY).map((name) => model(name)) },
  'model-versions/search': {
    model_versions: Object.keys(REGISTRY).map((name) => ({
      ...model(name),
      version: '1',
      run_id: name.startsWith('alpha') ? RUN_A : RUN_B,
      source: filesOf(name),
    })),
  },
}

/**
 * What plays MLflow: it knows who owns what, lists everything it knows whoever asks, and answers anything else with
 * an empty object. `more` goes before it.
 */
export function mlflowStandIn(more: UpstreamHandlers = {}): UpstreamHandlers {
  return { '*': answerLikeMlflow, ...more }
}

const answerLikeMlflow: UpstreamHandler = ({ method, url, body }) => {
  const { pathname, searchParams } = new URL(url, 'http://mlflow')
  const path = pathname.replace(/^\/(?:api|ajax-api)\/2\.0\/mlflow\//, '')
  const thing = thingAt(method, pathname, searchParams)
  if (thing !== undefined) return thing
  const traceId = /^\/api\/3\.0\/mlflow\/traces\/(tr-[^/]+)$/.exec(pathname)?.[1]
  if (method === 'GET' && traceId !== undefined) return trace(traceId)
  const one = method === 'GET' ? lookedUp(path, searchParams) : undefined
  if (one !== undefined) return one
  if (path === 'experiments/create') return { body: { experiment_id: '9' } }
  if (path === 'registered-models/create') {
    return { body: { registered_model: { name: JSON.parse(body.toString('utf8')).name } } }
  }
  const madeFrom = VERSIONS_FROM.exec(url)?.[1]
  if (madeFrom !== undefined) return { body: versionsFrom(decodeURIComponent(madeFrom)) }
  return { body: LISTS[path] ?? {} }
}

/** The gateway's own questions for versions. */
const VERSIONS_FROM = /\/model-versions\/search\?filter=(?:run_id|source_path)%20%3D%20'([^']+)'&max_results=/

function versionsFrom(value: string): object {
  const { model_versions: all } = LISTS['model-versions/search'] as {
    model_versions: Record<string, string>[]
  }
  return { model_versions: all.filter(({ run_id, source }) => run_id === value || source === value) }
}

/** What one of the {@link THINGS} answers, if the path is one of theirs. */
function thingAt(asked: string, pathname: string, query: URLSearchParams): ScriptedAnswer | undefined {
  for (const { method = 'GET', path, answer } of THINGS) {
    if (method !== asked) continue
    const match = path.exec(pathname.replace(/^\/(?:api|ajax-api)\//, ''))
    if (match === null) continue
    const body = answer(decodeURIComponent(match[1] ?? ''), query)
    return body === undefined ? NOT_FOUND : { body }
  }
  return undefined
}

function lookedUp(path: string, query: URLSearchParams): ScriptedAnswer | undefined {
  const loggedModel = /^logged-models\/([^/]+)$/.exec(path)?.[1]
  if (loggedModel !== undefined) return owned(LOGGED_MODELS, loggedModel, 'model', 'model_id')
  switch (path) {
    case 'experiments/get':
      return found('experiment', experiment(query.get('experiment_id') ?? ''))
    case 'experiments/get-by-name': {
      const [id] =
        Object.entries(EXPERIMENTS).find(([, [name]]) => name === query.get('experiment_name')) ?? []
      return found('experiment', experiment(id ?? ''))
    }
    case 'runs/get':
      return owned(RUNS, query.get('run_id') || (query.get('run_uuid') ?? ''), 'run', 'run_id')
    case 'registered-models/get':
      return found('registered_model', model(query.get('name') ?? ''))
    case 'model-versions/get-download-uri': {
      const name = query.get('name') ?? ''
      return found('artifact_uri', name in REGISTRY ? filesOf(name) : undefined)
    }
    default:
      return undefined
  }
}

function found(field: string, value: object | string | undefined): ScriptedAnswer {
  return value === undefined ? NOT_FOUND : { body: { [field]: value } }
}

function owned(
  owners: Readonly<Record<string, string>>,
  id: string,
  field: string,
  idField: string,
): ScriptedAnswer {
  const owner = owners[id]
  return found(field, owner === undefined ? undefined : { info: { [idField]: id, experiment_id: owner } })
}

function trace(id: string): ScriptedAnswer {
  const experiment_id = TRACES[id]
  if (experiment_id === undefined) return NOT_FOUND
  const trace_location = { type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id } }
  return found('trace', { trace_info: { trace_id: id, trace_location } })
}

function experiment(id: string): object | undefined {
  const [name, location] = EXPERIMENTS[id] ?? []
  return name === undefined ? undefined : { experiment_id: id, name, artifact_location: location }
}

function model(name: string): object | undefined {
  const isPrompt = REGISTRY[name]
  return isPrompt === undefined ? undefined : { name, tags: isPrompt ? [PROMPT_TAG] : [] }
}

/** True for a question of the gateway's own: nothing of the client's is in it but the id that is asked about. */
export function isLookup(request: RecordedRequest): boolean {
  const names = request.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase())
  return (
    request.method === 'GET' &&
    request.body.length === 0 &&
    names.every((name) => name === 'host' || name === 'connection' || name === 'accept') &&
    headerValues(request, 'accept').join() === 'application/json' &&
    (THINGS.some(({ path }) => path.test(request.url.replace(/^\/api\/|\?.*$/g, ''))) ||
      /^\/api\/(?:3\.0\/mlflow\/traces\/[\w-]+$|2\.0\/mlflow\/(?:traces\/[\w-]+\/info$|experiments\/get(?:-by-name)?\?|runs\/get\?|registered-models\/get\?|model-versions\/get-download-uri\?|logged-models\/[\w-]+$))/.test(
        request.url,
      ) ||
      VERSIONS_FROM.test(request.url))
  )
}

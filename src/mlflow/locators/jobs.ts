import type { ResourceRef } from '../../policy/access.ts'
import { type Call, memberOf } from '../call.ts'
import { readJsonTexts } from '../json-text.ts'
import {
  experimentById,
  experimentOrNone,
  type Found,
  type Locate,
  type Locating,
  NO_EXPERIMENT,
  plainId,
  SERVER,
} from '../locate.ts'
import { isObject } from '../lookup.ts'
import { AI_GATEWAY_LOCATORS } from './ai-gateway.ts'
import { REGISTRY_LOCATORS } from './registry.ts'
import { TRACKING_LOCATORS } from './tracking.ts'

export type JobKind =
  | 'job'
  | 'prompt_job'
  | 'prompt_uri'
  | 'model_uri'
  | 'model_provider'
  | 'models_of_scorers'
  | 'scored_experiment'
  | 'demo'

/** Jobs, and what they are given to work with. */
export const JOB_LOCATORS: Readonly<Record<JobKind, Locate>> = {
  job: startedJob,
  prompt_job: promptJob,
  prompt_uri: promptAt,
  model_uri: modelAt,
  model_provider: modelOfProvider,
  models_of_scorers: modelsOfScorers,
  /** The experiment, if what the scorer says is to be kept as assessments (`_invoke_scorer_handler`, 3.17.2). */
  scored_experiment: (id, locating, call) =>
    bodyField(call, 'log_assessments') ? experimentById(id, locating) : [],
  demo: demoData,
}

function bodyField({ body }: Call, name: string): unknown {
  return (body && memberOf(body.value, name)) ?? undefined
}

/** Nobody's but of those who started it: a bare MLflow does not keep who that was, so the gateway does. */
async function startedJob(id: string, { ownsJob }: Locating): Promise<Found> {
  const isOwner = ownsJob !== undefined && (await ownsJob(plainId(id)))
  return { ...SERVER, key: id, standing: isOwner ? ['owner'] : [] }
}

async function promptJob(id: string, locating: Locating): Promise<ResourceRef | readonly ResourceRef[]> {
  const found = await locating.lookup.about('prompt_job', plainId(id))
  if (found !== undefined && found.experimentId === undefined) return [NO_EXPERIMENT, SERVER]
  return experimentOrNone(found?.experimentId, locating)
}

/**
 * A prompt as it can be written in one way only: `prompts:/name/1`, `prompts:/name@alias`, or the name. MLflow also
 * takes `other@latest` for a prompt of just that name (`parse_prompt_name_or_uri`, 3.17.2): nobody means that.
 */
const PROMPT = /^(?:prompts:\/([A-Za-z0-9_.-]+)(?:\/[0-9]{1,9}|@[A-Za-z0-9_.-]+)|([A-Za-z0-9_.-]+))$/

function promptAt(uri: string, locating: Locating, call: Call): ReturnType<Locate> {
  const [, name, bare] = PROMPT.exec(uri) ?? []
  const found = name ?? bare
  return found === undefined ? SERVER : REGISTRY_LOCATORS.registered_model(found, locating, call)
}

/** A model that a job calls: an endpoint of the AI gateway (`gateway:/name`), or one that is no resource here. */
function modelAt(uri: string, locating: Locating, call: Call): ReturnType<Locate> {
  const [, provider = '', name = ''] = /^\s*([^:]*?)\s*:\/+(.*)$/su.exec(uri) ?? []
  return modelFrom(provider, name, locating, call)
}

function modelFrom(provider: string, name: string, locating: Locating, call: Call): ReturnType<Locate> {
  if (provider === 'gateway') return AI_GATEWAY_LOCATORS.gateway_endpoint_name(name, locating, call)
  // MLflow compares as it is written here; in another case it is a mistake, or an attempt.
  return provider.toLowerCase() === 'gateway' ? SERVER : []
}

/** MLflow writes provider and model into one URI (`_invoke_issue_detection_handler`, 3.17.2). */
function modelOfProvider(provider: string, locating: Locating, call: Call): ReturnType<Locate> {
  if (bodyField(call, 'endpoint_name')) return []
  return modelAt(`${provider.toLowerCase()}:/${String(bodyField(call, 'model') ?? '')}`, locating, call)
}

const SCORERS = ['serialized_scorer', 'serialized_scorers']

/** The endpoints that serialized scorers in the request would call, with a key that is not the caller's. */
async function modelsOfScorers(_: string, locating: Locating, call: Call): Promise<readonly Found[]> {
  const texts = SCORERS.flatMap((field) => bodyField(call, field) ?? [])
  const models = new Set(readJsonTexts(texts, SCORERS[0] ?? '').flatMap(({ value }) => modelsIn(value)))
  const found = await Promise.all([...models].map((model) => modelAt(model, locating, call)))
  return found.flat()
}

/** Scorers hold their model in one place or another, and other scorers (`extract_model_from_serialized_scorer`, 3.17.2). */
function modelsIn(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(modelsIn)
  if (!isObject(value)) return []
  return Object.entries(value).flatMap(([name, member]) =>
    name === 'model' && typeof member === 'string' ? member : modelsIn(member),
  )
}

const DEMO_EXPERIMENT = 'MLflow Demo'

/** The experiment of that name and prompts whose names begin so (mlflow/demo/base.py, 3.17.2). */
async function demoData(_: string, locating: Locating, call: Call): Promise<readonly ResourceRef[]> {
  const prompt = { type: 'prompt', key: undefined, name: 'mlflow-demo.prompts' } as const
  return [await TRACKING_LOCATORS.experiment_name(DEMO_EXPERIMENT, locating, call), prompt].flat()
}

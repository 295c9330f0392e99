import type { Access } from '../policy/access.ts'
import { type Demand, decide } from '../policy/decide.ts'
import type { Soon } from '../soon.ts'
import { splice } from './json.ts'
import { readAnswer } from './json-answer.ts'
import { EXPERIMENT_ID, isPlainId } from './locate.ts'
import { isPlainPath } from './locators/artifacts.ts'
import type { Lookup } from './lookup.ts'
import type { VersionName } from './questions/registry.ts'
import type { UpstreamResponse } from './upstream.ts'

type Asking = { readonly lookup: Lookup; readonly access: Access }

/** Whose files lie at an artifact path. */
type Owner = {
  /** What tells the versions made from it. */
  readonly question: 'versions_of_run' | 'versions_of_model'
  readonly id: string
  /** The folder that holds all of its files. */
  readonly root: string
}

/**
 * The same demand, with what else is enough to meet it. Who may read a registered model may read the files of its
 * versions, wherever they lie (MLflow's own rule for `model-versions/get-artifact`); clients fetch them by their path.
 * Only at the place that MLflow gives for that version, or below it: what lies beside belongs to the experiment.
 *
 * MLflow is asked only where the demand is not met by itself and no grant denies it, and only for somebody who holds a
 * right on some registered model.
 *
 * @param demand On the experiment that was found for the path.
 * @param path In its only spelling, see `artifactAt`.
 */
export async function orPublished(demand: Demand, path: string, asking: Asking): Promise<Demand> {
  const decision = decide([demand], asking.access)
  if (decision.effect === 'allow' || decision.reason === 'explicit_deny') return demand
  if (!holdsModels(asking.access)) return demand
  const owner = ownerAt(path)
  const { type, key } = demand.resource
  if (owner === undefined || type !== 'experiment' || key === undefined) return demand
  if ((await experimentOf(owner, asking)) !== key) return demand
  for (const version of (await asking.lookup.about(owner.question, owner.id)) ?? []) {
    const reading = await readingOf(version, asking)
    if (reading !== undefined && (await holds(version, path, owner, asking))) {
      return { ...demand, anyOf: [reading] }
    }
  }
  return demand
}

function holdsModels(access: Access): boolean {
  const level = access.uniform('registered_model')
  return level !== 'NO_PERMISSIONS' && level !== 'DENY'
}

/** `<experiment>/<run>/artifacts` or `<experiment>/models/<model>/artifacts`, at the path or above it. */
function ownerAt(path: string): Owner | undefined {
  const segments = path.split('/')
  const at = segments[0] === 'workspaces' ? 3 : 1
  const isModel = segments[at] === 'models'
  const [id, folder] = segments.slice(isModel ? at + 1 : at)
  const isOwned = EXPERIMENT_ID.test(segments[at - 1] ?? '') && id !== undefined && isPlainId(id)
  if (!isOwned || folder !== 'artifacts') return undefined
  const root = segments.slice(0, at + (isModel ? 3 : 2)).join('/')
  return { question: isModel ? 'versions_of_model' : 'versions_of_run', id, root }
}

/** A run or a model that does not exist is not asked about any further. */
function experimentOf({ question, id }: Owner, { lookup }: Asking): Soon<string | undefined> {
  return question === 'versions_of_run' ? lookup.experimentOfRun(id) : lookup.experimentOfModel(id)
}

/** The demand to read the version, if it is met. */
async function readingOf({ name }: VersionName, { lookup, access }: Asking): Promise<Demand | undefined> {
  const reading: Demand = {
    action: 'read',
    resource: { type: 'registered_model', key: name, name, tier: 'registered_model_version' },
  }
  if (decide([reading], access).effect === 'deny') return undefined
  const registered = await lookup.registered(name)
  return registered?.kind === 'registered_model' && registered.name === name ? reading : undefined
}

/** True if MLflow has the files of the version in a folder of the owner's, and the path is there or below. */
async function holds(
  { name, version }: VersionName,
  path: string,
  owner: Owner,
  { lookup }: Asking,
): Promise<boolean> {
  const files = await lookup.about('version_files', `${name}/${version}`)
  const folder = files && folderAt(files.uri, owner)
  return folder !== undefined && isWithin(folder, owner.root) && isWithin(path, folder)
}

/** The path in the artifact store that a URI stands for; `undefined` if it lies elsewhere or could be read in two ways. */
function folderAt(uri: string, { question, id, root }: Owner): string | undefined {
  const ofRun = `runs:/${id}/`
  const path =
    question === 'versions_of_run' && uri.startsWith(ofRun)
      ? `${root}/${uri.slice(ofRun.length)}`
      : /^mlflow-artifacts:\/([^/].*)$/s.exec(uri)?.[1]
  const folder = path?.replace(/\/+$/, '')
  return folder !== undefined && isPlainPath(folder) ? folder : undefined
}

/**
 * The answer with a URI of a run's files (`runs:/<run>/<path>`) as the path in the artifact store that it stands for, if
 * the caller may not read the run: clients would ask about it. Anything else stays as it is.
 *
 * @param field Of the answer, where the URI is.
 * @throws {GatewayError} `ERR_UPSTREAM_INVALID`
 */
export async function withPath(
  response: UpstreamResponse,
  field: string,
  asking: Asking,
): Promise<UpstreamResponse> {
  if (response.status !== 200) return response
  const { text, value, root } = readAnswer(response.bytes)
  const [uri, node] = [value[field], root.members?.get(field)]
  const path = typeof uri === 'string' ? await pathOfRun(uri, asking) : undefined
  if (path === undefined || node === undefined) return response
  const change = { start: node.start, end: node.end, text: JSON.stringify(`mlflow-artifacts:/${path}`) }
  return { ...response, bytes: Buffer.from(splice(text, [change])) }
}

async function pathOfRun(uri: string, { lookup, access }: Asking): Promise<string | undefined> {
  const [, runId = '', below = ''] = /^runs:\/([^/]+)\/(.+)$/s.exec(uri) ?? []
  if (!isPlainId(runId) || !isPlainPath(below)) return undefined
  const owner = await lookup.experimentOfRun(runId)
  const found = owner === undefined ? undefined : await lookup.experiment(owner)
  if (!found?.artifactRoot) return undefined
  const resource = { type: 'experiment', key: found.id, name: found.name, tier: 'run' } as const
  const decision = decide([{ action: 'read', resource }], access)
  // What is denied stays out of reach.
  if (decision.effect === 'allow' || decision.reason === 'explicit_deny') return undefined
  return `${found.artifactRoot}/${runId}/artifacts/${below}`
}

/** By whole segments. */
function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`)
}

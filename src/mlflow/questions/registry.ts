import { isPlainId } from '../locate.ts'
import { invalidAnswer, isObject } from '../lookup-answer.ts'
import { type AskMlflow, question } from '../question.ts'

/** A version of a registered model, as MLflow names it. */
export type VersionName = { readonly name: string; readonly version: string }

/**
 * Seconds. Versions come and go, also behind the gateway's back; long enough for the files of a model, which a client
 * fetches one by one.
 */
const VERSION_TTL = 3

/** Versions that one question takes into account, the latest first. */
const MOST_VERSIONS = 200

/** Questions for copies of one logged model's versions, and of their copies. */
const MOST_COPIED = 16

const API = '2.0/mlflow'

/**
 * Which versions may have their files in a run or a logged model, and where a version has them. The first two are told
 * by fields that whoever made the version has set, so they are hints; the third is MLflow's own word. Ids are plain
 * (`isPlainId`): they stand in filters and paths as they are.
 */
export const REGISTRY_QUESTIONS = {
  /** Versions made from a run, copies of them included: MLflow hands the run on (2.22 to 3.17). */
  versions_of_run: question(VERSION_TTL, (ask, runId) => search(ask, `run_id = '${runId}'`)),
  /** Versions made from a logged model, copies of them included. */
  versions_of_model: question(VERSION_TTL, versionsOfModel),
  /** Where the files of a version are; asked about as `name/version`. */
  version_files: question(VERSION_TTL, async (ask, key) => {
    const slash = key.lastIndexOf('/')
    const [name, version] = [key.slice(0, slash), key.slice(slash + 1)].map(encodeURIComponent)
    const answer = await ask(`${API}/model-versions/get-download-uri?name=${name}&version=${version}`)
    if (answer === undefined) return undefined
    const uri = answer['artifact_uri']
    if (typeof uri !== 'string') throw invalidAnswer('a version without a place for its files')
    return { uri }
  }),
} as const

/**
 * A logged model of a run is found by that run. One that was logged without a run is found by its own name, and the
 * copies of its versions by theirs.
 */
async function versionsOfModel(ask: AskMlflow, modelId: string): Promise<readonly VersionName[]> {
  const runId = sourceRunOf(await ask(`${API}/logged-models/${modelId}`))
  const found = runId === undefined ? [] : [...(await search(ask, `run_id = '${runId}'`))]
  const sources = [`models:/${modelId}`]
  const known = new Set(found.map(keyOf))
  for (let asked = 0; asked < MOST_COPIED && asked < sources.length; asked++) {
    for (const each of await search(ask, `source_path = '${sources[asked]}'`)) {
      if (known.has(keyOf(each))) continue
      known.add(keyOf(each))
      found.push(each)
      // A name that would end the quotation cannot be asked about.
      if (!/['"\\]/.test(each.name)) sources.push(`models:/${each.name}/${each.version}`)
    }
  }
  return found
}

function keyOf({ name, version }: VersionName): string {
  return `${name}/${version}`
}

function sourceRunOf(answer: Readonly<Record<string, unknown>> | undefined): string | undefined {
  const model = answer?.['model']
  const info = isObject(model) ? model['info'] : undefined
  const runId = isObject(info) ? info['source_run_id'] : undefined
  // Set by whoever logged the model.
  return typeof runId === 'string' && isPlainId(runId) ? runId : undefined
}

async function search(ask: AskMlflow, filter: string): Promise<readonly VersionName[]> {
  const query = `filter=${encodeURIComponent(filter)}&max_results=${MOST_VERSIONS}`
  const answer = await ask(`${API}/model-versions/search?${query}`)
  const rows = answer?.['model_versions'] ?? []
  if (!Array.isArray(rows)) throw invalidAnswer('a list of versions that is none')
  return rows.map((row: unknown) => {
    const { name, version } = isObject(row) ? row : {}
    if (typeof name !== 'string' || typeof version !== 'string')
      throw invalidAnswer('a version without a name')
    return { name, version }
  })
}

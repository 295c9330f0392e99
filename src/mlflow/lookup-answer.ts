import { GatewayError } from '../errors.ts'

/** What the gateway knows of an experiment: its name, and where in the artifact store it lies. */
export type Experiment = {
  readonly id: string
  readonly name: string
  /** Path below `mlflow-artifacts:/`, without slashes at the ends; `undefined` if it lies elsewhere. */
  readonly artifactRoot: string | undefined
}

export type RegistryKind = 'registered_model' | 'prompt'

/** What the registry has under a name. */
export type Registered = { readonly kind: RegistryKind; readonly name: string }

/** MLflow writes the tag on every prompt (mlflow.prompt.constants, 3.17.2). */
export const PROMPT_TAG = 'mlflow.prompt.is_prompt'

/**
 * The experiment id in an answer about that id, in whichever case. One that is there without an experiment is a fault:
 * what counts as absent is open to whoever holds a right on everything.
 *
 * @throws {GatewayError} `ERR_UPSTREAM_INVALID`
 */
export async function ownerOf(
  answer: Promise<Record<string, unknown> | undefined>,
  path: readonly string[],
  idField: string,
  id: string,
): Promise<string | undefined> {
  const given = await answer
  if (given === undefined) return undefined
  const info = objectAt(given, path)
  const owner = info?.['experiment_id']
  if (String(info?.[idField]).toLowerCase() !== id.toLowerCase() || typeof owner !== 'string')
    throw invalidAnswer(`the answer names no ${idField} with an experiment`)
  return owner
}

/** @throws {GatewayError} `ERR_UPSTREAM_INVALID` */
export function readExperiment(answer: Record<string, unknown> | undefined): Experiment | undefined {
  if (answer === undefined) return undefined
  const found = objectAt(answer, ['experiment'])
  const id = found?.['experiment_id']
  const name = found?.['name']
  if (typeof id !== 'string' || typeof name !== 'string')
    throw invalidAnswer('an experiment without id or name')
  return { id, name, artifactRoot: artifactRoot(found?.['artifact_location']) }
}

/** @throws {GatewayError} `ERR_UPSTREAM_INVALID` */
export function readRegistered(answer: Record<string, unknown> | undefined): Registered | undefined {
  if (answer === undefined) return undefined
  const found = objectAt(answer, ['registered_model'])
  const name = found?.['name']
  if (found === undefined || typeof name !== 'string')
    throw invalidAnswer('a registered model without a name')
  return { kind: hasPromptTag(found) ? 'prompt' : 'registered_model', name }
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

/** The object that the names lead to, if there is one. */
export function objectAt(value: unknown, path: readonly string[]): Record<string, unknown> | undefined {
  let at = value
  for (const step of path) at = isObject(at) ? at[step] : undefined
  return isObject(at) ? at : undefined
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The refusal where MLflow gives no usable answer. @param what For the log. */
export function invalidAnswer(what: string): GatewayError {
  return new GatewayError(
    'ERR_UPSTREAM_INVALID',
    'The tracking server did not say who owns what was asked for',
    {
      cause: new Error(what),
    },
  )
}

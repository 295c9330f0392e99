import type { ResourceRef } from '../../policy/access.ts'
import { after } from '../../soon.ts'
import { announcedKind } from '../announced-kind.ts'
import { type Call, memberOf } from '../call.ts'
import { type Locate, type Locating, SERVER } from '../locate.ts'
import type { Registered } from '../lookup.ts'
import { artifactAt } from './artifacts.ts'
import { TRACKING_LOCATORS } from './tracking.ts'

export type RegistryLocatorKind =
  | 'registered_model'
  | 'registered_model_name'
  | 'registered_model_new_name'
  | 'model_source'

/** Registered models and prompts, which share one namespace. */
export const REGISTRY_LOCATORS: Readonly<Record<RegistryLocatorKind, Locate>> = {
  registered_model: (name, { lookup }) => after(lookup.registered(name), registryRef),
  registered_model_name: (name, _locating, call) => ({ type: announcedKind(call), key: name, name }),
  registered_model_new_name: async (name, { lookup }, call) => {
    const current = call.body && memberOf(call.body.value, 'name')
    const kind = typeof current === 'string' ? await lookup.registryKind(current) : undefined
    return kind === undefined ? { type: 'registered_model', key: undefined } : { type: kind, key: name, name }
  },
  model_source: sourceOf,
}

function registryRef(found: Registered | undefined): ResourceRef {
  if (found === undefined) return { type: 'registered_model', key: undefined }
  return { type: found.kind, key: found.name, name: found.name }
}

/** Dot segments, and what a URL parser cuts off or decodes. */
const CLIMBS_OR_CUTS = /[\p{Cc}\\?#;%]|\/\.{1,2}(?:\/|$)/u

/** A prompt has no files; these stand where a source is asked for (mlflow/prompt/constants.py, 3.17.2). */
const NO_SOURCE: ReadonlySet<string> = new Set(['dummy-source', 'prompt-template'])

/**
 * Where a model version comes from: `runs:/<run>/...`, `models:/<name>/<version>`, `models:/<name>@<alias>`,
 * `models:/<logged model>`, `mlflow-artifacts:/<path>`. Any other place is read with the server's own credentials:
 * admins only.
 */
function sourceOf(source: string, locating: Locating, call: Call): ReturnType<Locate> {
  if (NO_SOURCE.has(source)) return promptOf(call, locating)
  const match = /^(runs|models|mlflow-artifacts):\/([^/].*)$/s.exec(source)
  if (!match?.[1] || !match[2] || CLIMBS_OR_CUTS.test(source)) return SERVER
  const rest = match[2].replace(/\/+$/, '')
  if (match[1] === 'mlflow-artifacts') return artifactAt(rest, locating)
  const head = rest.split('/', 1)[0] ?? ''
  if (match[1] === 'runs') return TRACKING_LOCATORS.run(head, locating, call)
  return modelSource(rest, locating, call)
}

/** As MLflow reads it (`_parse_model_uri`, 3.17.2): what has neither a slash nor an `@` is the id of a logged model. */
function modelSource(rest: string, locating: Locating, call: Call): ReturnType<Locate> {
  const slash = rest.indexOf('/')
  const at = rest.lastIndexOf('@')
  if (slash === -1 && at === -1) return TRACKING_LOCATORS.logged_model(rest, locating, call)
  return REGISTRY_LOCATORS.registered_model(rest.slice(0, slash === -1 ? at : slash), locating, call)
}

/** The thing itself that gets the version, if it is to be a prompt's. */
function promptOf(call: Call, locating: Locating): ReturnType<Locate> {
  const name = call.body && memberOf(call.body.value, 'name')
  if (typeof name !== 'string' || announcedKind(call) !== 'prompt') return SERVER
  return REGISTRY_LOCATORS.registered_model(name, locating, call)
}

import { GatewayError } from '../errors.ts'
import type { Access, ResourceRef } from '../policy/access.ts'
import type { Demand } from '../policy/decide.ts'
import { announcedKind } from './announced-kind.ts'
import { type Call, memberOf, select } from './call.ts'
import { readGraphql } from './graphql.ts'
import { readJsonObject } from './json.ts'
import type { Lookup, Registered } from './lookup.ts'
import type { Locator, LocatorKind, Need, Operation } from './operation.ts'

/** What a locator may ask. Names are looked up only if some grant of the caller speaks of names. */
export type Locating = {
  readonly lookup: Lookup
  readonly access: Pick<Access, 'needsName'>
}

type LocatingQueries = Locating & {
  /** A row of the catalogue by its name. */
  readonly operationNamed: (name: string) => Operation
}

/** Nothing that a grant could cover: only admins. */
const SERVER: ResourceRef = { type: 'server', key: undefined }
const NO_EXPERIMENT: ResourceRef = { type: 'experiment', key: undefined }

/**
 * Everything the call touches, each with what it does there.
 *
 * @throws {GatewayError} `ERR_INVALID_PARAMETER` if a row that asks for resources is given none; see {@link select}
 *   and {@link Lookup} for the rest. A fault is a refusal, never an empty list.
 */
export async function locate(call: Call, locating: LocatingQueries): Promise<readonly Demand[]> {
  const demands: Demand[] = []
  for (const need of call.operation.needs) demands.push(...(await demandsOf(call, need, locating)))
  if (demands.length === 0) {
    throw new GatewayError('ERR_INVALID_PARAMETER', 'The request does not say what it is about')
  }
  return demands
}

async function demandsOf(call: Call, need: Need, locating: LocatingQueries): Promise<readonly Demand[]> {
  if (need.kind === 'graphql') return demandsOfQuery(call, locating)
  if (need.kind !== 'resource') return []
  const resources = await resourcesOf(call, need.locator, locating)
  return resources.map((resource) => ({ action: need.action, resource }))
}

/** Every root field asks for what its REST twin would ask for with the same arguments; a list is not narrowed but judged whole. */
async function demandsOfQuery(call: Call, locating: LocatingQueries): Promise<readonly Demand[]> {
  const demands: Demand[] = []
  for (const { twin, args } of readGraphql(call.body?.value ?? {}).fields) {
    const operation = locating.operationNamed(twin)
    const body = readJsonObject(Buffer.from(JSON.stringify(args)))
    const before = demands.length
    for (const need of operation.needs) {
      const asked: Need =
        need.kind === 'narrow' ? { kind: 'resource', action: 'read', locator: need.locator } : need
      demands.push(...(await demandsOf({ ...call, operation, method: 'POST', body }, asked, locating)))
    }
    if (demands.length === before)
      throw new GatewayError('ERR_INVALID_PARAMETER', `${twin} does not say what it is about`)
  }
  return demands
}

/** The resources one locator leads to; none if its selector is optional and picks nothing. */
export async function resourcesOf(
  call: Call,
  locator: Locator,
  locating: Locating,
): Promise<readonly ResourceRef[]> {
  const values = select(call, locator.selector)
  if (values.length === 0 && locator.kind === 'artifact_path') return [SERVER] // the root lists every experiment
  const found: ResourceRef[] = []
  for (let at = 0; at < values.length; at += AT_ONCE) {
    const some = values.slice(at, at + AT_ONCE)
    const located = await Promise.all(some.map((value) => resourceOf(value, locator.kind, call, locating)))
    found.push(...located.filter((resource) => resource !== undefined))
  }
  return found
}

/** Most look-ups under way for one request. */
const AT_ONCE = 16

/** @returns `undefined` for the id of a trace that nobody has: whoever asks may take it. */
async function resourceOf(
  value: string,
  kind: LocatorKind,
  call: Call,
  locating: Locating,
): Promise<ResourceRef | undefined> {
  if (kind === 'new_trace' && (await locating.lookup.experimentOfTrace(plainId(value))) === undefined) {
    return undefined
  }
  return LOCATE[kind](value, locating, call)
}

type Locate = (value: string, locating: Locating, call: Call) => Promise<ResourceRef> | ResourceRef

const LOCATE: Readonly<Record<LocatorKind, Locate>> = {
  experiment: experimentById,
  experiment_name: experimentByName,
  run: async (id, locating) => experimentOrNone(await locating.lookup.experimentOfRun(plainId(id)), locating),
  logged_model: async (id, locating) =>
    experimentOrNone(await locating.lookup.experimentOfModel(plainId(id)), locating),
  trace: traceById,
  new_trace: traceById,
  artifact_path: artifactAt,
  registered_model: async (name, { lookup }) => registryRef(await lookup.registered(name)),
  registered_model_name: (name, _locating, call) => ({ type: announcedKind(call), key: name, name }),
  registered_model_new_name: async (name, { lookup }, call) => {
    const current = call.body && memberOf(call.body.value, 'name')
    const kind = typeof current === 'string' ? await lookup.registryKind(current) : undefined
    return kind === undefined ? { type: 'registered_model', key: undefined } : { type: kind, key: name, name }
  },
  model_source: sourceOf,
}

/** MLflow reads ids with Python's `int()`, which takes many spellings of one number; a grant key has one. */
const EXPERIMENT_ID = /^(?:0|[1-9][0-9]{0,19})$/

/** What run and model ids are made of; anything else could be read as a path. */
const PLAIN_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,255}$/

function plainId(id: string): string {
  if (!PLAIN_ID.test(id))
    throw new GatewayError('ERR_INVALID_PARAMETER', 'Invalid id: letters, digits, - and _ are expected')
  return id
}

async function experimentById(id: string, { lookup, access }: Locating): Promise<ResourceRef> {
  if (!EXPERIMENT_ID.test(id)) {
    throw new GatewayError(
      'ERR_INVALID_PARAMETER',
      'Invalid experiment id: decimal digits without leading zeros are expected',
    )
  }
  if (!access.needsName('experiment')) return { type: 'experiment', key: id }
  const found = await lookup.experiment(id)
  return found === undefined ? NO_EXPERIMENT : { type: 'experiment', key: id, name: found.name }
}

async function traceById(id: string, locating: Locating): Promise<ResourceRef> {
  return experimentOrNone(await locating.lookup.experimentOfTrace(plainId(id)), locating)
}

/** A name that exists stands for its experiment; one that does not is what is about to be created. */
async function experimentByName(name: string, { lookup }: Locating): Promise<ResourceRef> {
  const found = await lookup.experimentByName(name)
  return found === undefined
    ? { type: 'experiment', key: undefined, name }
    : { type: 'experiment', key: found.id, name: found.name }
}

async function experimentOrNone(id: string | undefined, locating: Locating): Promise<ResourceRef> {
  return id === undefined ? NO_EXPERIMENT : experimentById(id, locating)
}

function registryRef(found: Registered | undefined): ResourceRef {
  if (found === undefined) return { type: 'registered_model', key: undefined }
  return { type: found.kind, key: found.name, name: found.name }
}

/**
 * `2/<run>/artifacts/model.pkl` → experiment 2, if that is where experiment 2 really stores. What counts is the
 * location the experiment was made with, with or without a `workspaces/<name>/` prefix (field report 20).
 */
async function artifactAt(path: string, { lookup }: Locating): Promise<ResourceRef> {
  const segments = path.split('/')
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..') || isOddPath(path)) {
    throw new GatewayError('ERR_AMBIGUOUS_REQUEST', 'The artifact path can be read in more than one way')
  }
  const at = segments[0] === 'workspaces' ? 2 : 0
  const id = segments[at]
  if (id === undefined || !EXPERIMENT_ID.test(id)) return SERVER
  const found = await lookup.experiment(id)
  if (found?.artifactRoot !== segments.slice(0, at + 1).join('/')) return SERVER
  return { type: 'experiment', key: id, name: found.name }
}

/**
 * MLflow decodes artifact paths until nothing changes, takes them for URLs on the way (which drops a space at the start
 * and an empty query or parameter), and refuses some characters (`validate_path_is_safe`, 3.17.2). None of that may be
 * left to do.
 */
function isOddPath(path: string): boolean {
  return /[\p{Cc}\\#]|%[0-9a-f]{2}|^ |;\?|[?;]$/iu.test(path) || /^[a-z][a-z0-9+.-]*:/i.test(path)
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
async function sourceOf(source: string, locating: Locating, call: Call): Promise<ResourceRef> {
  if (NO_SOURCE.has(source)) return promptOf(call, locating)
  const match = /^(runs|models|mlflow-artifacts):\/([^/].*)$/s.exec(source)
  if (!match?.[1] || !match[2] || CLIMBS_OR_CUTS.test(source)) return SERVER
  const rest = match[2].replace(/\/+$/, '')
  if (match[1] === 'mlflow-artifacts') return artifactAt(rest, locating)
  const head = rest.split('/', 1)[0] ?? ''
  if (match[1] === 'runs') return LOCATE.run(head, locating, call)
  return modelSource(rest, locating, call)
}

/** As MLflow reads it (`_parse_model_uri`, 3.17.2): what has neither a slash nor an `@` is the id of a logged model. */
function modelSource(rest: string, locating: Locating, call: Call): Promise<ResourceRef> | ResourceRef {
  const slash = rest.indexOf('/')
  const at = rest.lastIndexOf('@')
  if (slash === -1 && at === -1) return LOCATE.logged_model(rest, locating, call)
  return LOCATE.registered_model(rest.slice(0, slash === -1 ? at : slash), locating, call)
}

/** The thing itself that gets the version, if it is to be a prompt's. */
function promptOf(call: Call, locating: Locating): Promise<ResourceRef> | ResourceRef {
  const name = call.body && memberOf(call.body.value, 'name')
  if (typeof name !== 'string' || announcedKind(call) !== 'prompt') return SERVER
  return LOCATE.registered_model(name, locating, call)
}

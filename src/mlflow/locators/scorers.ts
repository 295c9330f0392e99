import { GatewayError } from '../../errors.ts'
import type { ResourceRef } from '../../policy/access.ts'
import { BUILT_IN_SCORERS } from '../built-in-scorers.ts'
import { argsInQuery, type Call, memberOf, select } from '../call.ts'
import { readJsonTexts } from '../json-text.ts'
import { EXPERIMENT_ID, experimentById, type Locate, type Locating, plainId } from '../locate.ts'
import { isObject } from '../lookup.ts'
import { pythonQuote } from '../python-quote.ts'
import { scorerKey } from '../questions/scorers.ts'
import { parseSelector } from '../selector.ts'

export type ScorerKind =
  | 'scorer'
  | 'whole_scorer'
  | 'registered_scorer'
  | 'scorer_of_version'
  | 'online_scoring'

const EXPERIMENT = parseSelector('experiment_id')

/** Scorers: each by its name in the experiment that the request names. */
export const SCORER_LOCATORS: Readonly<Record<ScorerKind, Locate>> = {
  scorer: (name, locating, call) => scorerNamed(name, locating, call),
  /** The scorer, unless just one version of it is named. */
  whole_scorer: (name, locating, call) => (namesVersion(call) ? [] : scorerNamed(name, locating, call)),
  /** The scorer, unless MLflow has one of that name of its own: then it looks for no other (`_load_scorers`, 3.17.2). */
  registered_scorer: (name, locating, call) =>
    BUILT_IN_SCORERS.has(name) ? [] : scorerNamed(name, locating, call),
  /** Those that MLflow takes from its store instead of from the request: all that come with a version. */
  scorer_of_version: (_, locating, call) =>
    Promise.all(namesWithVersion(call).map((name) => scorerNamed(name, locating, call))),
  /** By its id, all experiments that it scores; none if it scores none. */
  online_scoring: async (id, locating) => {
    const found = await locating.lookup.about('online_scoring', plainId(id))
    return Promise.all((found?.experimentIds ?? []).map((each) => experimentById(each, locating)))
  },
}

/**
 * The scorer of that name, as grants know it: under the name that MLflow takes it for, if there is one; else under the
 * one that was given, which is the one it is about to get.
 */
async function scorerNamed(name: string, locating: Locating, call: Call): Promise<ResourceRef> {
  const experimentId = select(call, EXPERIMENT)[0] ?? ''
  if (!EXPERIMENT_ID.test(experimentId)) throw noExperiment()
  const found = await locating.lookup.about('scorer', scorerKey(experimentId, name))
  return scorerRef(experimentId, found?.name ?? name, locating)
}

/** The scorer as a resource, known to grants by `12/relevance`, the name in Python's encoding (`_scorer_pattern`, mlflow/server/auth, 3.17.2). */
export function scorerRef(experimentId: string, name: string, locating: Locating): Promise<ResourceRef> {
  return scorerByKey(`${experimentId}/${pythonQuote(name)}`, locating)
}

const KEY = /^(0|[1-9][0-9]{0,19})\/((?:[A-Za-z0-9_.~-]|%[0-9A-F]{2})*)$/

/**
 * The scorer that grants know by that key. A grant by a pattern of names sees the experiment's name in front:
 * `alpha/one/relevance`.
 *
 * @throws {GatewayError} `ERR_INVALID_PARAMETER` for what is no such key.
 */
export async function scorerByKey(key: string, { lookup, access }: Locating): Promise<ResourceRef> {
  const [, experimentId, quoted] = KEY.exec(key) ?? []
  if (experimentId === undefined) throw noExperiment()
  if (!access.needsName('scorer')) return { type: 'scorer', key }
  const home = await lookup.experiment(experimentId)
  return { type: 'scorer', key, name: home && `${home.name}/${quoted}` }
}

function noExperiment(): GatewayError {
  return new GatewayError(
    'ERR_INVALID_PARAMETER',
    'Invalid experiment id: decimal digits without leading zeros are expected',
  )
}

/** What MLflow reads as a version at every time: anything else it may take for none, and delete all of them. */
const VERSION = /^[1-9][0-9]{0,8}$/

/** @throws {GatewayError} `ERR_INVALID_PARAMETER` for what is neither absent nor a version. */
export function namesVersion(call: Call): boolean {
  const given = argsInQuery(call)
    ? call.query.get('version')?.[0]
    : call.body && memberOf(call.body.value, 'version')
  if (given === undefined || given === null) return false
  if (VERSION.test(String(given)) && (typeof given === 'number' || typeof given === 'string')) return true
  throw new GatewayError(
    'ERR_INVALID_PARAMETER',
    "Invalid value for parameter 'version': a number is expected",
  )
}

/** Names of the serialized scorers that a version stands beside (`_invoke_genai_evaluate_handler`, 3.17.2). */
function namesWithVersion({ body }: Call): readonly string[] {
  const versions = (body && memberOf(body.value, 'scorer_versions')) ?? []
  const scorers = (body && memberOf(body.value, 'serialized_scorers')) ?? []
  if (!Array.isArray(versions) || !Array.isArray(scorers)) throw unnamed()
  const stored = scorers.filter((_, index) => (versions[index] ?? null) !== null)
  return readJsonTexts(stored, 'serialized_scorers').map(({ value }) => {
    const name = isObject(value) ? value['name'] : undefined
    if (typeof name !== 'string' || name === '' || name.length > MAX_NAME) throw unnamed()
    return name
  })
}

/** Longer than any name of a scorer in MLflow's database. */
const MAX_NAME = 4096

function unnamed(): GatewayError {
  return new GatewayError(
    'ERR_INVALID_PARAMETER',
    "Invalid value for parameter 'serialized_scorers': scorers with a name are expected, and a list of versions beside them",
  )
}

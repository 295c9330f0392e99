import type { Action } from '../policy/grants.ts'
import { parseTaggedText } from './author-tag.ts'
import type {
  Effect,
  ListSpec,
  LocatorKind,
  Method,
  Need,
  Operation,
  ResourceNeed,
  Rule,
  SwitchName,
  TierName,
} from './operation.ts'
import { compileTemplate } from './path.ts'
import { parseSelector } from './selector.ts'
import { parseStamp } from './stamps.ts'
import type { KnownVersion } from './version.ts'
import type { Withholding } from './withhold.ts'

type Options = {
  /** The first known version that serves it; the oldest one if absent. */
  readonly since?: KnownVersion
  /** The last one; the newest if absent. */
  readonly until?: KnownVersion
  readonly body?: 'json' | 'otlp' | 'stream'
  readonly headers?: readonly string[]
  readonly repeated?: readonly string[]
  readonly rules?: readonly Rule[]
  readonly effects?: readonly Effect[]
  readonly list?: ListSpec
  readonly hidden?: (value: string) => string
  readonly answer?: object
  readonly shell?: boolean
  readonly stamps?: readonly string[]
  readonly authorTags?: string
  readonly sources?: string
  readonly untrusted?: boolean
  readonly cacheable?: boolean
  readonly patience?: number
  readonly onArtifactServer?: boolean
  readonly joinsTrace?: boolean
  readonly filesAt?: string
  readonly withhold?: readonly Withholding[]
}

/**
 * Makes a row.
 *
 * @param methods One method, or several separated by `|`. HEAD rides on GET.
 * @param path `2.0/...`: served under `/api/` and `/ajax-api/`; `ajax:2.0/...`: under `/ajax-api/` only;
 *   `/...`: as it stands. `<id>` is one segment, `<path:rest>` one or more.
 */
export function row(
  name: string,
  methods: string,
  path: string | readonly string[],
  needs: Need | readonly (Need | readonly Need[])[],
  options: Options = {},
): Operation {
  const all: readonly Need[] = [needs].flat(2)
  const verbs = methods.split('|') as Method[]
  return {
    name,
    methods: verbs,
    paths: [path].flat().flatMap(spellings).map(compileTemplate),
    versions: { since: options.since, until: options.until },
    needs: all,
    body: options.body ?? 'json',
    headers: options.headers ?? [],
    repeated: new Set(options.repeated ?? []),
    rules: options.rules ?? [],
    effects: options.effects ?? [],
    list: options.list,
    hidden: options.hidden,
    answer: options.answer,
    shell: options.shell ?? false,
    stamps: (options.stamps ?? []).map(parseStamp),
    authorTags: options.authorTags === undefined ? undefined : parseTaggedText(options.authorTags),
    sources: options.sources?.split('.'),
    untrusted: options.untrusted ?? false,
    cacheable: options.cacheable ?? false,
    patience: options.patience,
    onArtifactServer: options.onArtifactServer ?? false,
    joinsTrace: options.joinsTrace ?? false,
    filesAt: options.filesAt,
    withhold: options.withhold ?? [],
    passes: passes(all, options),
    readOnly: all.every((need) => isReading(need, verbs)),
  }
}

function passes(needs: readonly Need[], options: Options): boolean {
  const { answer, shell, list, effects, joinsTrace, filesAt, withhold } = options
  const ofOurs = [answer, shell, list, effects, joinsTrace, filesAt, withhold]
  return ofOurs.every((each) => each === undefined) && !needs.some(({ kind }) => REWRITING.has(kind))
}

const REWRITING: ReadonlySet<Need['kind']> = new Set(['narrow', 'graphql'])

/** Rows of which each is served from that version on, unless it says itself since when. */
export function since(version: KnownVersion, rows: readonly Operation[]): readonly Operation[] {
  return rows.map((each) =>
    each.versions.since === undefined ? { ...each, versions: { ...each.versions, since: version } } : each,
  )
}

function isReading(need: Need, methods: readonly Method[]): boolean {
  if (need.kind === 'resource') {
    const asked = [need.action, ...Object.values(need.relaxed ?? {})]
    return asked.includes('read') || need.action === 'not_denied'
  }
  return need.kind === 'admin' ? methods.every((method) => method === 'GET') : true
}

function spellings(path: string): string[] {
  if (path.startsWith('/')) return [path]
  if (path.startsWith('ajax:')) return [`/ajax-api/${path.slice('ajax:'.length)}`]
  return [`/api/${path}`, `/ajax-api/${path}`]
}

export const PUBLIC: Need = { kind: 'public' }
export const SIGNED_IN: Need = { kind: 'signed_in' }
export const ADMIN: Need = { kind: 'admin' }
/** Only an admin may call it by that method. */
export const adminMethod = (method: Method): Need => ({ kind: 'admin', methods: [method] })
export const NOBODY: Need = { kind: 'nobody' }
export const GRAPHQL: Need = { kind: 'graphql' }

/** What a locator leads to, waiting for what is done with it. */
export type Located = (action: Action) => ResourceNeed

/** Makes the word for a kind of locator: `run('run_id')`. */
export const locate =
  (kind: LocatorKind) =>
  (selector: string): Located =>
  (action) => ({ kind: 'resource', action, locator: { kind, selector: parseSelector(selector) } })

export const experiment = locate('experiment')
export const experimentName = locate('experiment_name')
export const run = locate('run')
export const loggedModel = locate('logged_model')
export const trace = locate('trace')
/** A trace that is about to be made, or added to: nobody's, or in an experiment. */
export const newTrace = locate('new_trace')
export const artifactPath = locate('artifact_path')
export const registeredModel = locate('registered_model')
export const registeredModelName = locate('registered_model_name')
export const registeredModelNewName = locate('registered_model_new_name')
export const modelSource = locate('model_source')
export const dataset = locate('dataset')
export const datasetHome = locate('dataset_home')
export const datasetLeftAlone = locate('dataset_left_alone')
export const scorer = locate('scorer')
export const wholeScorer = locate('whole_scorer')
export const registeredScorer = locate('registered_scorer')
export const scorerOfVersion = locate('scorer_of_version')
export const onlineScoring = locate('online_scoring')
export const job = locate('job')
export const promptJob = locate('prompt_job')
export const promptUri = locate('prompt_uri')
export const modelUri = locate('model_uri')
export const modelProvider = locate('model_provider')
export const modelsOfScorers = locate('models_of_scorers')
export const scoredExperiment = locate('scored_experiment')
export const demo = locate('demo')
export const gatewaySecret = locate('gateway_secret')
export const gatewayEndpoint = locate('gateway_endpoint')
export const gatewayEndpointName = locate('gateway_endpoint_name')
export const gatewayModelDefinition = locate('gateway_model_definition')

export const experimentOrAll = locate('experiment_or_all')
export const issue = locate('issue')
export const labelSchema = locate('label_schema')
export const workspace = locate('workspace')
export const mcpServer = locate('mcp_server')
export const mcpServerName = locate('mcp_server_name')
export const mcpServerToUpdate = locate('mcp_server_to_update')
export const mcpServerToCreate = locate('mcp_server_to_create')
export const mcpServerBeside = locate('mcp_server_beside')
export const reviewQueue = locate('review_queue')
export const reviewQueueName = locate('review_queue_name')
export const reviewQueueBeside = locate('review_queue_beside')
export const reviewQueueUser = locate('review_queue_user')

type Verb = (located: Located, options?: Omit<ResourceNeed, 'kind' | 'action' | 'locator'>) => ResourceNeed

const verb =
  (action: Action): Verb =>
  (located, options = {}) => ({ ...located(action), ...options })

export const read = verb('read')
export const use = verb('use')
export const update = verb('update')
export const remove = verb('delete')
export const manage = verb('manage')
export const create = verb('create')

/** That no grant on such sub-resources denies, for what is made or touched beside what the row is about. */
export function notDenied(located: Located, ...tiers: readonly TierName[]): readonly ResourceNeed[] {
  return tiers.map((tier) => ({ ...located('not_denied'), tier }))
}

/** What is asked only of requests in which the selector picks something, apart from values that do not matter. */
export function when(
  selector: string,
  butNot: readonly string[],
  needs: readonly ResourceNeed[],
): readonly ResourceNeed[] {
  return needs.map((need) => ({ ...need, when: { selector: parseSelector(selector), butNot } }))
}

/** The same action on everything of these kinds that lies in the resource: what goes with it. */
export function withAll(need: ResourceNeed, ...tiers: readonly TierName[]): readonly ResourceNeed[] {
  return [need, ...tiers.map((tier) => ({ ...need, tier }))]
}

/** Narrows a list of experiment ids to those the caller may read, or in which they may read what is of that kind. */
export function readableOnly(selector: string, tier?: TierName): Need {
  return { kind: 'narrow', locator: { kind: 'experiment', selector: parseSelector(selector) }, tier }
}

export const adminField = (selector: string): Rule => ({
  kind: 'admin_field',
  selector: parseSelector(selector),
})
export const adminTag = (selector: string, ...tags: readonly string[]): Rule => ({
  kind: 'admin_tag',
  selector: parseSelector(selector),
  tags,
})
/** @param path As in a selector: `locations[]`, `trace.trace_info.trace_location`. */
export const onlyFields = (path: string, ...fields: readonly string[]): Rule => ({
  kind: 'only_fields',
  path: path.split('.'),
  fields,
})
export const refuseField = (selector: string, hint: string): Rule => ({
  kind: 'refuse_field',
  selector: parseSelector(selector),
  hint,
})
export const plainSegment = (selector: string): Rule => ({
  kind: 'plain_segment',
  selector: parseSelector(selector),
})
export const notAUsername = (selector: string): Rule => ({
  kind: 'not_a_username',
  selector: parseSelector(selector),
})
export const notAlso = (path: string): Rule => ({ kind: 'not_also', template: compileTemplate(path) })
export const plainPath = (field: string): Rule => ({ kind: 'plain_path', field })
export const outboundUrl = (selector: string): Rule => ({
  kind: 'outbound_url',
  selector: parseSelector(selector),
})
export const onlyIf = (name: SwitchName): Rule => ({ kind: 'switch', name })

import type { Effect } from './asking.ts'
import type { Question } from './cases.ts'
import type { Outcome } from './oracle.ts'
import type { Side } from './seed.ts'

/**
 * How two effects differ: `stricter` and `lenient` say how the gateway is beside MLflow's own app; `out_of_reach` that it
 * does what a rule of MLflow's says which MLflow never gets to (see {@link OUT_OF_REACH}); `answer` means that both let
 * the request through, and MLflow behind the gateway made something else of it.
 */
export type Kind = 'stricter' | 'lenient' | 'out_of_reach' | 'answer'

export type Difference = {
  readonly operation: string
  readonly variant: string
  readonly method: string
  readonly path: string
  /** Who asked, as a word. */
  readonly account: string
  readonly side: Side
  readonly kind: Kind
  /** Why the gateway refused, as it is on record. */
  readonly recorded: string | undefined
  /** What was told by the one only; empty if it is not about rows. */
  readonly oursOnly: readonly string[]
  readonly theirsOnly: readonly string[]
  readonly theirs: string
  readonly ours: string
}

/** Where a refusal and an empty list are the same: what counts is which of the things are told of. */
const LISTS: ReadonlySet<string> = new Set([
  ...[
    'SearchExperiments',
    'SearchRuns',
    'SearchLoggedModels',
    'SearchRegisteredModels',
    'SearchModelVersions',
  ],
  ...['SearchTraces', 'SearchTracesV3', 'SearchEvaluationDatasets', 'serve_search_datasets', 'SearchIssues'],
  ...['ListScorers', 'ListReviewQueues', 'ListGatewayEndpoints', 'ListGatewayModelDefinitions'],
  ...['ListGatewaySecretInfos', 'search_mcp_servers', 'search_all_access_endpoints', 'list_models'],
  ...['search_jobs', '_graphql', 'ListArtifacts@proxy', 'ListGatewayEndpointBindings'],
  ...['BatchGetTraceInfos', 'serve_get_metric_history_bulk'],
])

/** True if it asks about things of both sides at once. */
export function isOfBoth({ variant }: Pick<Question, 'variant'>): boolean {
  return variant === 'in both' || variant === 'of both' || variant === 'of all'
}

/**
 * What MLflow gives at another address as well: a file of a model version to whoever may read the model. Clients ask for
 * it by its path, which MLflow judges by the experiment alone.
 */
const ELSEWHERE: Readonly<Record<string, string>> = {
  DownloadArtifact: 'serve_model_version_artifact',
  download_artifact: 'serve_model_version_artifact',
}

/**
 * Operations that MLflow has a rule for and refuses to everybody but administrators all the same: it looks the rule up by
 * the exact path, and these have an id in theirs (`validate_can_*_prompt_optimization_job`, mlflow/server/auth, 3.17.2).
 * With each, operations that MLflow lets through, all of them, to exactly those whom that rule would let through.
 */
export const OUT_OF_REACH: Readonly<Record<string, readonly string[]>> = {
  GetPromptOptimizationJob: ['GetExperiment'],
  CancelPromptOptimizationJob: ['CreateRun'],
  DeletePromptOptimizationJob: ['CreateLabelSchema', 'CreateRun'],
}

/** Operations that have to be asked before others. */
export const ASKED_FIRST: ReadonlySet<string> = new Set(
  [...Object.values(ELSEWHERE), ...Object.values(OUT_OF_REACH)].flat(),
)

/**
 * Compares outcomes, told in the order in which they were asked.
 *
 * A search in several experiments is refused by MLflow if one of them may not be read, and narrowed by the gateway to the
 * others: the same, as long as each row that is left is one that MLflow itself tells the same person in a search there.
 * So is the list of what is bound to all endpoints, which MLflow gives to administrators, and to others by endpoint.
 *
 * @returns What gives the difference of an outcome, `undefined` if both sides did the same.
 */
export function createComparison(): (outcome: Outcome) => Difference | undefined {
  const told = new Map<string, Set<string>>()
  const letThrough = new Set<string>()
  return (outcome) => {
    const { question, account, side, theirs } = outcome
    const key = `${account.name} ${question.operation}`
    const known = told.get(key) ?? new Set<string>()
    for (const marker of theirs.visible) known.add(marker)
    told.set(key, known)
    if (!theirs.refused) letThrough.add(`${key} ${side}`)
    const lets = (operation: string) => letThrough.has(`${account.name} ${operation} ${side}`)
    return excused(compare(outcome, isOfBoth(question) ? known : theirs.visible), lets)
  }
}

/** @param lets Whether MLflow has let another operation through to the same person about the same things. */
function excused(
  difference: Difference | undefined,
  lets: (operation: string) => boolean,
): Difference | undefined {
  if (difference?.kind !== 'lenient') return difference
  const { operation } = difference
  const elsewhere = ELSEWHERE[operation]
  if (elsewhere !== undefined && lets(elsewhere)) return undefined
  return OUT_OF_REACH[operation]?.every(lets) ? { ...difference, kind: 'out_of_reach' } : difference
}

/** @param tellable What the gateway may tell of. */
function compare(outcome: Outcome, tellable: ReadonlySet<string>): Difference | undefined {
  const { question, theirs, ours } = outcome
  const oursOnly = [...ours.visible].filter((marker) => !tellable.has(marker))
  const theirsOnly = [...theirs.visible].filter((marker) => !ours.visible.has(marker))
  const kind = LISTS.has(question.operation)
    ? kindOfRows(oursOnly, theirsOnly)
    : kindOf({ theirs, ours, oursOnly, theirsOnly })
  if (kind === undefined) return undefined
  const { operation, variant, method, path } = question
  return {
    ...{ operation, variant, method, path, account: outcome.account.says, side: outcome.side },
    ...{ kind, oursOnly, theirsOnly, recorded: ours.reason, theirs: inWords(theirs), ours: inWords(ours) },
  }
}

function kindOfRows(oursOnly: readonly string[], theirsOnly: readonly string[]): Kind | undefined {
  if (oursOnly.length > 0) return 'lenient'
  return theirsOnly.length > 0 ? 'stricter' : undefined
}

type Compared = {
  readonly theirs: Effect
  readonly ours: Effect
  readonly oursOnly: readonly string[]
  readonly theirsOnly: readonly string[]
}

function kindOf({ theirs, ours, oursOnly, theirsOnly }: Compared): Kind | undefined {
  if (theirs.refused && ours.refused) return undefined
  if (theirs.refused) return 'lenient'
  if (ours.refused) return 'stricter'
  if (theirs.status < 300 !== ours.status < 300) return 'answer'
  return kindOfRows(oursOnly, theirsOnly)
}

function inWords({ refused, status, reason }: Effect): string {
  return [refused ? 'refused' : 'allowed', status, ...(reason === undefined ? [] : [reason])].join(' ')
}

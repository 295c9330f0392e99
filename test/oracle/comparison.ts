import type { Effect } from './asking.ts'
import type { Question } from './cases.ts'
import type { Outcome } from './oracle.ts'
import type { Side } from './seed.ts'

/**
 * How two effects differ: `stricter` and `lenient` say how the gateway is beside MLflow's own app; `answer` means that
 * both let the request through, and MLflow behind the gateway made something else of it.
 */
export type Kind = 'stricter' | 'lenient' | 'answer'

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
  return variant === 'in both' || variant === 'of both'
}

/**
 * What MLflow gives at another address as well: a file of a model version to whoever may read the model. Clients ask for
 * it by its path, which MLflow judges by the experiment alone.
 */
export const ELSEWHERE: Readonly<Record<string, string>> = {
  DownloadArtifact: 'serve_model_version_artifact',
  download_artifact: 'serve_model_version_artifact',
}

/**
 * Compares outcomes, told in the order in which they were asked.
 *
 * A search in several experiments is refused by MLflow if one of them may not be read, and narrowed by the gateway to the
 * others: the same, as long as each row that is left is one that MLflow itself tells the same person in a search there.
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
    const difference = compare(outcome, isOfBoth(question) ? known : theirs.visible)
    const elsewhere = `${account.name} ${ELSEWHERE[question.operation]} ${side}`
    return difference?.kind === 'lenient' && letThrough.has(elsewhere) ? undefined : difference
  }
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

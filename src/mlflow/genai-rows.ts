import type { ResourceRef } from '../policy/access.ts'
import { isPlainId } from './locate.ts'
import { scorerRef } from './locators/scorers.ts'
import type { Lookup } from './lookup.ts'
import { judgedBy, type RowSpec } from './row-spec.ts'

/** What the rows of lists of evaluation datasets, scorers and jobs are. */
export type GenaiRow = 'dataset' | 'scorer' | 'job'

export const GENAI_ROWS: Readonly<Record<GenaiRow, RowSpec>> = {
  dataset: judgedBy(['dataset_id'], { types: ['experiment'], asks: true, resourceOf: datasetRow }),
  scorer: judgedBy(['experiment_id', 'scorer_name'], {
    types: ['experiment', 'scorer'],
    tiers: ['scorer_version'],
    resourceOf: scorerRow,
  }),
  /** Nobody's but of those who started it, whatever they are granted. */
  job: judgedBy(['job_id'], { types: [], resourceOf: () => undefined, jobOf: ({ job_id: id }) => id }),
}

/** Every experiment it is in. The rows of a search do not name them (3.17.2), so each is asked about. */
async function datasetRow(
  { dataset_id: id }: { readonly dataset_id?: unknown },
  lookup: Lookup,
): Promise<readonly ResourceRef[] | undefined> {
  if (typeof id !== 'string' || !isPlainId(id)) return undefined
  const found = await lookup.about('dataset', id)
  return found && Promise.all(found.experimentIds.map((key) => experimentRef(key, lookup)))
}

/** Both the scorer and the experiment it is in, as MLflow judges it (`filter_list_scorers`, mlflow/server/auth, 3.17.2). */
async function scorerRow(
  {
    experiment_id: id,
    scorer_name: name,
  }: { readonly experiment_id?: unknown; readonly scorer_name?: unknown },
  lookup: Lookup,
): Promise<readonly ResourceRef[] | undefined> {
  if ((typeof id !== 'number' && typeof id !== 'string') || typeof name !== 'string') return undefined
  const scorer = await scorerRef(String(id), name, { lookup, access: BY_NAME })
  return [await experimentRef(String(id), lookup), { ...scorer, tier: 'scorer_version' }]
}

/** Names are asked about once a minute at most, so rows come with theirs. */
const BY_NAME = { needsName: () => true }

async function experimentRef(key: string, lookup: Lookup): Promise<ResourceRef> {
  return { type: 'experiment', key, name: (await lookup.experiment(key))?.name }
}

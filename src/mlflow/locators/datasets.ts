import { type Call, memberOf } from '../call.ts'
import { experimentById, type Locate, type Locating, NO_EXPERIMENT, plainId, SERVER } from '../locate.ts'

export type DatasetKind = 'dataset' | 'dataset_home' | 'dataset_left_alone'

/** Evaluation datasets: judged by every experiment they are in. One that is in none is for administrators. */
export const DATASET_LOCATORS: Readonly<Record<DatasetKind, Locate>> = {
  dataset: async (id, locating) => {
    const found = await locating.lookup.about('dataset', plainId(id))
    // In the words for an experiment: MLflow does not tell one that is in none from one that is not there.
    if (found === undefined || found.experimentIds.length === 0) return [NO_EXPERIMENT, SERVER]
    return inAll(found.experimentIds, locating)
  },
  /** A new one that is to be in no experiment: nobody could be judged for it later. */
  dataset_home: (_name, _locating, call) => (experimentsNamed(call).length === 0 ? SERVER : []),
  /** All that it was in, if it is taken out of the last one: whoever had it has it no longer. */
  dataset_left_alone: async (id, locating, call) => {
    const found = await locating.lookup.about('dataset', plainId(id))
    const left = new Set(found?.experimentIds)
    for (const each of experimentsNamed(call)) left.delete(each)
    return left.size > 0 ? [] : inAll(found?.experimentIds ?? [], locating)
  },
}

function inAll(ids: readonly string[], locating: Locating): ReturnType<Locate> {
  return Promise.all(ids.map((each) => experimentById(each, locating)))
}

/** What the row has judged is a list of ids; anything else was refused before. */
function experimentsNamed({ body }: Call): readonly string[] {
  const ids = body === undefined ? [] : (memberOf(body.value, 'experiment_ids') ?? [])
  return Array.isArray(ids) ? ids.map(String) : []
}

import { experimentById, type Locate, plainId, SERVER } from '../locate.ts'

export type DatasetKind = 'dataset'

/** Evaluation datasets: judged by every experiment they are in. One that is in none is for administrators. */
export const DATASET_LOCATORS: Readonly<Record<DatasetKind, Locate>> = {
  dataset: async (id, locating) => {
    const found = await locating.lookup.about('dataset', plainId(id))
    if (found === undefined || found.experimentIds.length === 0) return SERVER
    return Promise.all(found.experimentIds.map((each) => experimentById(each, locating)))
  },
}

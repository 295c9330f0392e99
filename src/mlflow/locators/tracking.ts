import type { ResourceRef } from '../../policy/access.ts'
import type { Tier } from '../../policy/grants.ts'
import { experimentById, experimentOrNone, type Locate, type Locating, plainId } from '../locate.ts'

export type TrackingKind =
  | 'experiment'
  | 'experiment_or_all'
  | 'experiment_name'
  | 'run'
  | 'logged_model'
  | 'trace'
  | 'new_trace'

/** Experiments, and what lies in one. */
export const TRACKING_LOCATORS: Readonly<Record<TrackingKind, Locate>> = {
  experiment: experimentById,
  /** Without one it is about everything there is. */
  experiment_or_all: experimentById,
  experiment_name: experimentByName,
  run: async (id, locating) => inside('run', await locating.lookup.experimentOfRun(plainId(id)), locating),
  logged_model: async (id, locating) =>
    inside('logged_model', await locating.lookup.experimentOfModel(plainId(id)), locating),
  trace: async (id, locating) =>
    inside('trace', await locating.lookup.experimentOfTrace(plainId(id)), locating),
  /** Nobody's, if nobody has that id: whoever asks may take it. */
  new_trace: async (id, locating) => {
    const owner = await locating.lookup.experimentOfTrace(plainId(id))
    return owner === undefined ? [] : inside('trace', owner, locating)
  },
}

async function inside(tier: Tier, owner: string | undefined, locating: Locating): Promise<ResourceRef> {
  return { ...(await experimentOrNone(owner, locating)), tier }
}

/** A name that exists stands for its experiment; one that does not is what is about to be created. */
async function experimentByName(name: string, { lookup }: Locating): Promise<ResourceRef> {
  const found = await lookup.experimentByName(name)
  return found === undefined
    ? { type: 'experiment', key: undefined, name }
    : { type: 'experiment', key: found.id, name: found.name }
}

import type { ResourceRef } from '../../policy/access.ts'
import type { Tier } from '../../policy/grants.ts'
import { after, type Soon } from '../../soon.ts'
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
  run: (id, locating) => inside('run', locating.lookup.experimentOfRun(plainId(id)), locating),
  logged_model: (id, locating) =>
    inside('logged_model', locating.lookup.experimentOfModel(plainId(id)), locating),
  trace: (id, locating) => inside('trace', locating.lookup.experimentOfTrace(plainId(id)), locating),
  /** Nobody's, if nobody has that id: whoever asks may take it. */
  new_trace: async (id, locating) => {
    const owner = await locating.lookup.experimentOfTrace(plainId(id))
    return owner === undefined ? [] : inside('trace', owner, locating)
  },
}

function inside(tier: Tier, owner: Soon<string | undefined>, locating: Locating): Soon<ResourceRef> {
  const experiment = after(owner, (id) => experimentOrNone(id, locating))
  return after(experiment, (found) => ({ ...found, tier }))
}

/** A name that exists stands for its experiment; one that does not is what is about to be created. */
function experimentByName(name: string, { lookup }: Locating): Soon<ResourceRef> {
  return after(lookup.experimentByName(name), (found) =>
    found === undefined
      ? { type: 'experiment', key: undefined, name }
      : { type: 'experiment', key: found.id, name: found.name },
  )
}

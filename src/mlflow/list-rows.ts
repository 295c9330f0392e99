import type { ResourceRef } from '../policy/access.ts'
import type { ResourceType, Tier } from '../policy/grants.ts'
import { hasPromptTag, type Lookup } from './lookup.ts'

/** What the rows of a list are. */
export type RowKind = 'experiment' | 'registry' | 'version'

type Row = Readonly<Record<string, unknown>>

export type RowSpec = {
  /** What the rows can be, so that it can be told beforehand whether all of them may be read. */
  readonly types: readonly ResourceType[]
  readonly tiers?: readonly Tier[]
  /** What has to be readable for a row to be seen; `undefined` for a row that does not say what it is. */
  readonly resourceOf: (
    row: Row,
    lookup: Lookup,
  ) => Promise<ResourceRef | undefined> | ResourceRef | undefined
}

export const ROWS: Readonly<Record<RowKind, RowSpec>> = {
  experiment: {
    types: ['experiment'],
    resourceOf: ({ experiment_id: key, name }) =>
      typeof key === 'string' && typeof name === 'string' ? { type: 'experiment', key, name } : undefined,
  },
  registry: {
    types: ['registered_model', 'prompt'],
    resourceOf: (row) =>
      typeof row['name'] === 'string'
        ? { type: hasPromptTag(row) ? 'prompt' : 'registered_model', key: row['name'], name: row['name'] }
        : undefined,
  },
  version: {
    types: ['registered_model', 'prompt'],
    tiers: ['registered_model_version', 'prompt_version'],
    resourceOf: versionRow,
  },
}

/** A version's own tags are its editors' to set, so what kind it is of is asked of the model. */
async function versionRow(row: Row, lookup: Lookup): Promise<ResourceRef | undefined> {
  const { name } = row
  if (typeof name !== 'string') return undefined
  const type = hasPromptTag(row) ? await lookup.registryKind(name) : 'registered_model'
  return type && { type, key: name, name, tier: `${type}_version` }
}

import { type Access, type ResourceRef, satisfies } from '../policy/access.ts'
import { decide, LEVEL_FOR } from '../policy/decide.ts'
import type { Action, ResourceType, Tier } from '../policy/grants.ts'
import { GENAI_ROWS, type GenaiRow } from './genai-rows.ts'
import { AI_GATEWAY_ROWS, type AiGatewayRow } from './locators/ai-gateway.ts'
import { MCP_SERVER_ROWS, type McpServerRow } from './locators/mcp-servers.ts'
import { REVIEW_ROWS, type ReviewRow } from './locators/reviews.ts'
import { hasPromptTag, isObject, type Lookup } from './lookup.ts'

/** What the rows of a list are. */
export type RowKind =
  | 'experiment'
  | 'registry'
  | 'version'
  | 'versions_of'
  | AiGatewayRow
  | GenaiRow
  | McpServerRow
  | 'workspace'
  | ReviewRow

type Row = Readonly<Record<string, unknown>>

export type RowSpec = {
  /** What the rows can be, so that it can be told beforehand whether all of them may be read. */
  readonly types: readonly ResourceType[]
  readonly tiers?: readonly (Tier | 'scorer')[]
  /** What the caller must be able to do with it; to read it, if absent. */
  readonly action?: Action
  /** The workspace that a row is; seen by those who hold something in it. */
  readonly workspaceOf?: (row: Row) => unknown
  /** What is enough for this row, if that is less for a caller of that name. */
  readonly lessFor?: (row: Row, username: string) => Action | undefined
  /** What has to be readable, all of it, for a row to be seen; `undefined` for a row that does not say what it is. */
  readonly resourceOf: (row: Row, lookup: Lookup) => RowResource | Promise<RowResource>
  /** To know what a row is takes a question, so no more rows are fetched at first than may be shown. */
  readonly asks?: boolean
  /** The id of the job that a row is; it is seen by whoever started it, and by nobody because of grants. */
  readonly jobOf?: (row: Row) => unknown
}

type RowResource = ResourceRef | readonly ResourceRef[] | undefined

export const ROWS: Readonly<Record<RowKind, RowSpec>> = {
  ...AI_GATEWAY_ROWS,
  ...MCP_SERVER_ROWS,
  ...REVIEW_ROWS,
  ...GENAI_ROWS,
  workspace: { types: [], workspaceOf: ({ name }) => name, resourceOf: () => undefined },
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
  /** A registered model or prompt that may be read, for its versions: only a grant on all versions hides those. */
  versions_of: {
    types: [],
    tiers: ['registered_model_version', 'prompt_version'],
    resourceOf: (row) => {
      const { name } = row
      const type = hasPromptTag(row) ? 'prompt' : 'registered_model'
      return typeof name === 'string' ? { type, key: name, name, tier: `${type}_version` } : undefined
    },
  },
  version: {
    types: ['registered_model', 'prompt'],
    tiers: ['registered_model_version', 'prompt_version'],
    resourceOf: versionRow,
  },
}

/** Rows that are fetched at first for a page of that size, so that some can be left out of it. */
export function firstFetch(kind: RowKind, size: number): number {
  return ROWS[kind].asks === true ? size + 1 : Math.max(size + 1, FIRST_FETCH)
}

const FIRST_FETCH = 1000

/** True if these grants hide no row of that kind, whatever it is about. */
export function seesAllRows(kind: RowKind, access: Access): boolean {
  const { types, tiers = [], action = 'read', jobOf, workspaceOf } = ROWS[kind]
  if (jobOf !== undefined || workspaceOf !== undefined) return false
  const level = LEVEL_FOR[action]
  return (
    types.every((type) => satisfies(access.uniform(type) ?? 'NO_PERMISSIONS', level)) &&
    tiers.every((tier) => satisfies(access.levelOfAll(tier) ?? level, level))
  )
}

type Reading = {
  readonly access: Access
  readonly lookup: Lookup
  readonly username?: string | undefined
  /** True for a workspace that the caller holds something in. */
  readonly isMemberOf?: ((workspace: string) => boolean) | undefined
  /** True for a job that the caller started; without it nobody started any. */
  readonly ownsJob?: ((jobId: string) => Promise<boolean>) | undefined
}

/** True if the caller may see this row of an answer; never for one that does not say what it is. */
export async function isReadable(
  kind: RowKind,
  row: unknown,
  { access, lookup, username, ownsJob, isMemberOf }: Reading,
): Promise<boolean> {
  if (!isObject(row)) return false
  const { resourceOf, action: usual = 'read', lessFor, jobOf, workspaceOf } = ROWS[kind]
  if (workspaceOf !== undefined) {
    const name = workspaceOf(row)
    return typeof name === 'string' && isMemberOf?.(name) === true
  }
  if (jobOf !== undefined) {
    const id = jobOf(row)
    return typeof id === 'string' && ownsJob !== undefined && ownsJob(id)
  }
  const action = (username !== undefined && lessFor?.(row, username)) || usual
  const resources = [(await resourceOf(row, lookup)) ?? []].flat()
  const demands = resources.map((resource) => ({ action, resource }))
  return demands.length > 0 && decide(demands, access).effect === 'allow'
}

/** A version's own tags are its editors' to set, so what kind it is of is asked of the model. */
async function versionRow(row: Row, lookup: Lookup): Promise<ResourceRef | undefined> {
  const { name } = row
  if (typeof name !== 'string') return undefined
  const type = hasPromptTag(row) ? await lookup.registryKind(name) : 'registered_model'
  return type && { type, key: name, name, tier: `${type}_version` }
}

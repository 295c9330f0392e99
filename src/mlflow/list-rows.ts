import { type Access, type ResourceRef, satisfies } from '../policy/access.ts'
import { decide, LEVEL_FOR } from '../policy/decide.ts'
import type { Action } from '../policy/grants.ts'
import { GENAI_ROWS, type GenaiRow } from './genai-rows.ts'
import { AI_GATEWAY_ROWS, type AiGatewayRow } from './locators/ai-gateway.ts'
import { MCP_SERVER_ROWS, type McpServerRow } from './locators/mcp-servers.ts'
import { REVIEW_ROWS, type ReviewRow } from './locators/reviews.ts'
import { hasPromptTag, isObject, type Lookup, type RegistryKind } from './lookup.ts'
import { judgedBy, type RowResource, type RowSpec } from './row-spec.ts'

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

export const ROWS: Readonly<Record<RowKind, RowSpec>> = {
  ...AI_GATEWAY_ROWS,
  ...MCP_SERVER_ROWS,
  ...REVIEW_ROWS,
  ...GENAI_ROWS,
  workspace: judgedBy(['name'], { types: [], workspaceOf: ({ name }) => name, resourceOf: () => undefined }),
  experiment: judgedBy(['experiment_id', 'name'], {
    types: ['experiment'],
    resourceOf: ({ experiment_id: key, name }) =>
      typeof key === 'string' && typeof name === 'string' ? { type: 'experiment', key, name } : undefined,
  }),
  registry: judgedBy(['name', 'tags'], {
    types: ['registered_model', 'prompt'],
    resourceOf: ({ name, tags }) =>
      typeof name === 'string'
        ? { type: hasPromptTag({ tags }) ? 'prompt' : 'registered_model', key: name, name }
        : undefined,
  }),
  /** A registered model or prompt that may be read, for its versions: only a grant on all versions hides those. */
  versions_of: judgedBy(['name', 'tags'], {
    types: [],
    tiers: ['registered_model_version', 'prompt_version'],
    resourceOf: ({ name, tags }) => {
      const type = hasPromptTag({ tags }) ? 'prompt' : 'registered_model'
      return typeof name === 'string' ? { type, key: name, name, tier: `${type}_version` } : undefined
    },
  }),
  version: judgedBy(['name', 'tags'], {
    types: ['registered_model', 'prompt'],
    tiers: ['registered_model_version', 'prompt_version'],
    resourceOf: ({ name, tags }, lookup) => {
      if (typeof name !== 'string') return undefined
      return hasPromptTag({ tags }) ? versionAsked(name, lookup) : versionOf('registered_model', name)
    },
  }),
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
  readonly ownsJob?: ((jobId: string) => boolean) | undefined
}

/**
 * True if the caller may see this row of an answer; never for one that does not say what it is. A promise only where
 * something has to be asked first.
 */
export function isReadable(kind: RowKind, row: unknown, reading: Reading): boolean | Promise<boolean> {
  if (!isObject(row)) return false
  const { access, lookup, username, ownsJob, isMemberOf } = reading
  const { resourceOf, action: usual = 'read', lessFor, jobOf, workspaceOf } = ROWS[kind]
  if (workspaceOf !== undefined) {
    const name = workspaceOf(row)
    return typeof name === 'string' && isMemberOf?.(name) === true
  }
  if (jobOf !== undefined) {
    const id = jobOf(row)
    return typeof id === 'string' && ownsJob?.(id) === true
  }
  const action = (username !== undefined && lessFor?.(row, username)) || usual
  const resource = resourceOf(row, lookup)
  if (resource instanceof Promise) return resource.then((found) => isAllowed(action, found, access))
  return isAllowed(action, resource, access)
}

function isAllowed(action: Action, found: RowResource, access: Access): boolean {
  if (found === undefined) return false
  // Most rows are one thing.
  const demands =
    'type' in found ? [{ action, resource: found }] : found.map((resource) => ({ action, resource }))
  return demands.length > 0 && decide(demands, access).effect === 'allow'
}

/** A version's own tags are its editors' to set, so what kind it is of is asked of the model. */
async function versionAsked(name: string, lookup: Lookup): Promise<ResourceRef | undefined> {
  const type = await lookup.registryKind(name)
  return type && versionOf(type, name)
}

function versionOf(type: RegistryKind, name: string): ResourceRef {
  return { type, key: name, name, tier: `${type}_version` }
}

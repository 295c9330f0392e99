import { type GrantType, RESOURCE_TYPES, type ResourceType } from './grants.ts'

/** What lies in an experiment and is called by an id of its own: to ask for it is to ask for its experiment. */
const INSIDE_EXPERIMENT = ['run', 'logged_model', 'trace'] as const satisfies readonly GrantType[]

/** What somebody can ask to be given access to. */
export const ASKED_TYPES = [...RESOURCE_TYPES, ...INSIDE_EXPERIMENT] as const

export type AskedType = ResourceType | (typeof INSIDE_EXPERIMENT)[number]

/** Levels that somebody can ask for. */
export const ASKED_LEVELS = ['READ', 'USE', 'EDIT', 'MANAGE'] as const

export type AskedLevel = (typeof ASKED_LEVELS)[number]

/** The right that a refused request lacked, as far as the request itself names what it was about. */
export type MissingAccess = {
  readonly type: AskedType
  /** Id or name as the request gave it; nothing that was looked up. Absent where it named none, or several. */
  readonly key?: string | undefined
  readonly level: AskedLevel
  /** Where the request was about it; absent where no workspaces are kept apart. */
  readonly workspace?: string | undefined
}

/** @returns The level, if it is one that can be asked for. */
export function askedLevel(level: string | undefined): AskedLevel | undefined {
  return ASKED_LEVELS.find((each) => each === level)
}

/** @returns How people call such a thing, e.g. `logged model`, `MCP server`. */
export function nounOf(type: string): string {
  return type.replace('mcp_', 'MCP ').replaceAll('_', ' ')
}

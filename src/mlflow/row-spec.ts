import type { ResourceRef } from '../policy/access.ts'
import type { Action, ResourceType, Tier } from '../policy/grants.ts'
import type { Lookup } from './lookup.ts'

/** A row of a list, or another object of an answer; of its members those with these names. */
type Row<Name extends string> = { readonly [name in Name]?: unknown }

type Spec<Name extends string> = {
  /** What the rows can be, so that it can be told beforehand whether all of them may be read. */
  readonly types: readonly ResourceType[]
  readonly tiers?: readonly (Tier | 'scorer')[]
  /** What the caller must be able to do with it; to read it, if absent. */
  readonly action?: Action
  /** The workspace that a row is; seen by those who hold something in it. */
  readonly workspaceOf?: (row: Row<Name>) => unknown
  /** What is enough for this row, if that is less for a caller of that name. */
  readonly lessFor?: (row: Row<Name>, username: string) => Action | undefined
  /** What has to be readable, all of it, for a row to be seen; `undefined` for a row that does not say what it is. */
  readonly resourceOf: (row: Row<Name>, lookup: Lookup) => RowResource | Promise<RowResource>
  /** To know what a row is takes a question, so no more rows are fetched at first than may be shown. */
  readonly asks?: boolean
  /** The id of the job that a row is; it is seen by whoever started it, and by nobody because of grants. */
  readonly jobOf?: (row: Row<Name>) => unknown
}

export type RowResource = ResourceRef | readonly ResourceRef[] | undefined

export type RowSpec = Spec<string> & {
  /** The members of a row that it is judged by; there is nothing else to it for the functions above. */
  readonly members: readonly string[]
}

/** Rows that are judged by these members of theirs, which are all that the functions of the specification get to see. */
export function judgedBy<const Name extends string>(
  members: readonly Name[],
  spec: Spec<NoInfer<Name>>,
): RowSpec {
  return { ...spec, members }
}

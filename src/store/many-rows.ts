import { CompiledQuery } from 'kysely'

export type Row = readonly (string | number | null)[]

/** An insertion of many rows, for a connection that puts them into statements itself. */
export type RowsQuery = CompiledQuery & {
  readonly rows: readonly Row[]
  /** The statement for so many rows; its parameters are their values. */
  readonly statementFor: (rows: number) => string
}

export function rowsQuery(rows: RowsQuery['rows'], statementFor: RowsQuery['statementFor']): RowsQuery {
  return { ...CompiledQuery.raw(statementFor(1)), rows, statementFor }
}

export function isRowsQuery(query: CompiledQuery): query is RowsQuery {
  return 'rows' in query
}

/** Divides rows by powers of two, the largest first, so that batches of any length need few statements. */
export function* inSteps(rows: readonly Row[], most: number): Generator<readonly Row[]> {
  for (let start = 0; start < rows.length; ) {
    const count = 2 ** Math.floor(Math.log2(Math.min(rows.length - start, most)))
    yield rows.slice(start, start + count)
    start += count
  }
}

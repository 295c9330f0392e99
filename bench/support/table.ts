import type { Outcome } from './measuring.ts'
import { SUBJECTS } from './stage.ts'

/** Rows of cells, the first of them the heads. */
export type Table = readonly (readonly string[])[]

/** A row for each subject: the medians, and the ratio to what the others are compared with (`-` if that is missing). */
export function tableOf({ scenario, medians }: Outcome): Table {
  const columns = Object.keys([...medians.values()][0] ?? {})
  const base = medians.get(scenario.base)?.[scenario.column]
  const rows = [...medians].map(([name, figures]) => [
    SUBJECTS[name],
    ...columns.map((column) => rounded(figures[column] ?? Number.NaN)),
    base === undefined ? '-' : ((figures[scenario.column] ?? Number.NaN) / base).toFixed(2),
  ])
  return [['', ...columns, 'ratio'], ...rows]
}

/** For a terminal. */
export function inColumns(table: Table): string {
  const width = (index: number) => Math.max(...table.map((row) => [...(row[index] ?? '')].length))
  const padded = (cell: string, index: number) =>
    index === 0 ? cell.padEnd(width(0)) : cell.padStart(width(index) + 3)
  return table.map((row) => row.map(padded).join('')).join('\n')
}

export function inMarkdown(table: Table): string {
  const [heads = [], ...rows] = table
  const line = (row: readonly string[]) => `| ${row.join(' | ')} |`
  return [line(heads), `|---|${'--:|'.repeat(heads.length - 1)}`, ...rows.map(line)].join('\n')
}

function rounded(value: number): string {
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)
}

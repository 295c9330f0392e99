import { readFileSync, writeFileSync } from 'node:fs'
import { arch, availableParallelism, cpus, loadavg, platform, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { chartOf } from './chart.ts'
import type { Outcome } from './measuring.ts'
import { inMarkdown, tableOf } from './table.ts'

const DOCUMENT = fileURLToPath(new URL('../../docs/performance.md', import.meta.url))
const CHART = fileURLToPath(new URL('../../docs/performance.svg', import.meta.url))
const [BEGIN, END] = ['<!-- npm run bench -- --write: begin -->', '<!-- end -->']

/** What was measured on. */
export function machine(): string {
  const [{ model } = { model: 'unknown processor' }] = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  return `${availableParallelism()} × ${model.trim()}, ${memory} GiB, ${platform()} ${arch()}, Node ${process.versions.node}`
}

/** How much else the machine has to do: load averages of one and five minutes. */
export function otherWork(): string {
  const [one = 0, five = 0] = loadavg()
  return `load average ${one.toFixed(1)} and ${five.toFixed(1)}`
}

/**
 * Renews the part of `docs/performance.md` between the two comments, and the chart beside it.
 *
 * @param circumstances How it was measured, in a line.
 * @throws {Error} if the document has no such part.
 */
export function renewDocument(outcomes: readonly Outcome[], circumstances: string): void {
  const text = readFileSync(DOCUMENT, 'utf8')
  const [start, end] = [text.indexOf(BEGIN), text.indexOf(END)]
  if (start < 0 || end < start) throw new Error(`docs/performance.md has no part between ${BEGIN} and ${END}`)
  const tables = outcomes.map(
    (outcome) => `### ${outcome.scenario.title}\n\n${inMarkdown(tableOf(outcome))}\n`,
  )
  const [day] = new Date().toISOString().split('T')
  const chart = '![What the same work takes, by server](performance.svg)'
  const part = [`Measured on ${day}: ${circumstances}`, chart, ...tables].join('\n\n')
  writeFileSync(DOCUMENT, `${text.slice(0, start) + BEGIN}\n${part}\n${text.slice(end)}`)
  writeFileSync(CHART, chartOf(outcomes))
}

import type { Outcome } from './measuring.ts'
import { SUBJECTS, type SubjectName } from './stage.ts'

const WIDTH = 760
const LABEL = 230
const ROW = 22
const BAR = 14
const HEAD = 40

/** Bars of what each scenario costs, a group for each on a scale of its own; an SVG that is legible on dark and light. */
export function chartOf(outcomes: readonly Outcome[]): string {
  let top = 8
  const groups = outcomes.map((outcome) => {
    const group = groupOf(outcome, top)
    top += HEAD + ROW * outcome.medians.size + 12
    return group
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" role="img" aria-label="What the same work takes">
<style>
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600 } .unit { fill: #656d76 } .ours { fill: #0969da } .theirs { fill: #8c959f }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .unit { fill: #8d96a0 } .ours { fill: #4493f8 } .theirs { fill: #6e7681 } }
</style>
${groups.join('\n')}
</svg>
`
}

function groupOf({ scenario, medians }: Outcome, top: number): string {
  const costs = [...medians].map(([name, figures]) => [name, figures[scenario.column] ?? 0] as const)
  // One that is many times the others would leave nothing of them to see: its bar is cut, its figure is not.
  const sorted = costs.map(([, cost]) => cost).sort((a, b) => b - a)
  const [most = 1, second = most] = sorted
  const scale = (WIDTH - LABEL - 90) / Math.min(most, second * 3)
  const bars = costs.map(([name, cost], index) => bar({ name, cost, scale, y: top + HEAD + ROW * index }))
  const title = scenario.title.replaceAll('`', '')
  return `<text class="title" x="8" y="${top + 16}">${escaped(title)}</text>
<text class="unit" x="8" y="${top + 32}">${escaped(scenario.column)}</text>
${bars.join('\n')}`
}

type Bar = { readonly name: SubjectName; readonly cost: number; readonly scale: number; readonly y: number }

function bar({ name, cost, scale, y }: Bar): string {
  const most = WIDTH - LABEL - 90
  const length = Math.min(most, cost * scale)
  const figure = `${cost.toFixed(cost < 100 ? 1 : 0)}${cost * scale > most + 1 ? ' (cut)' : ''}`
  const kind = name.includes('gateway') ? 'ours' : 'theirs'
  return `<text x="8" y="${y + BAR - 2}">${escaped(SUBJECTS[name])}</text>
<rect class="${kind}" x="${LABEL}" y="${y}" width="${length.toFixed(1)}" height="${BAR}" rx="2"/>
<text x="${(LABEL + length + 6).toFixed(1)}" y="${y + BAR - 2}">${figure}</text>`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

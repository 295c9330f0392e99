import { type Html, html } from '../html.ts'
import { timeOf } from '../time.ts'
import type { Json } from './consult.ts'
import { address, adminPage, items, number, option, text, type View } from './view.ts'

const EFFECTS = ['allow', 'deny', 'error'] as const

/** How far back, in seconds, and how long one bar is. */
const RANGES = {
  hour: [3600, 60, 'the last hour'],
  day: [86_400, 1800, 'the last day'],
  week: [7 * 86_400, 4 * 3600, 'the last week'],
  month: [30 * 86_400, 86_400, 'the last 30 days'],
} as const

type Range = keyof typeof RANGES

/** `/auth/admin/audit`: what was decided and done, to filter, with a chart over time. */
export async function auditPage(view: View): Promise<string> {
  const range: Range =
    view.query['range'] !== undefined && view.query['range'] in RANGES
      ? (view.query['range'] as Range)
      : 'day'
  const [seconds, span, name] = RANGES[range]
  // Whole spans, so that the bars stay where they are.
  const since = Math.ceil((view.now - seconds) / span) * span
  const filter = filterOf(view)
  const { body: counts } = await view.consult('audit.counts', { query: { ...filter, since, span } })
  const before = Number(view.query['before'] ?? 0)
  const { body } = await view.consult('audit.list', {
    query: { ...filter, since, limit: 100, ...(before > 0 ? { before } : {}) },
  })
  const next = number(body, 'next')
  return adminPage(view, '/auth/admin/audit', {
    title: 'Audit',
    body: html`${filterForm(view, range)}
<section class="panel" aria-labelledby="chart"><h2 id="chart">Decisions in ${name}</h2>${chart(items(counts, 'counts'), { since, until: view.now, span })}</section>
<section class="panel">${eventTable(view, items(body, 'events'))}
${next === undefined ? undefined : html`<p><a class="button quiet" href="${address(view.publicUrl, '/auth/admin/audit', { ...view.query, before: String(next) })}">Earlier</a></p>`}</section>`,
  })
}

function filterOf({ query }: View): Readonly<Record<string, string>> {
  const given = ['user', 'operation', 'effect', 'reason'].flatMap((name) => {
    const value = query[name]
    return value === undefined || value === '' ? [] : [[name, value] as const]
  })
  return Object.fromEntries(given)
}

function filterForm({ query }: View, range: Range): Html {
  const field = (name: string, label: string, hint: string) =>
    html`<div class="field"><label for="${name}">${label}</label><input type="text" id="${name}" name="${name}" value="${query[name]}" placeholder="${hint}" autocomplete="off"></div>`
  return html`<form method="get" class="search panel" role="search">
${field('user', 'Person', 'username')}${field('operation', 'Operation', 'runs.delete, or runs')}${field('reason', 'Reason', 'no_grant')}
<div class="field"><label for="effect">Outcome</label><select id="effect" name="effect">${option('', query['effect'], 'any')}${EFFECTS.map((effect) => option(effect, query['effect']))}</select></div>
<div class="field"><label for="range">When</label><select id="range" name="range">${Object.entries(RANGES).map(([value, [, , label]]) => option(value, range, label))}</select></div>
<button type="submit">Filter</button></form>`
}

const WIDTH = 720
const HEIGHT = 140

type Axis = { readonly since: number; readonly until: number; readonly span: number }

/** Bars of allowed, denied and failed on top of each other; the numbers are in the table below it, too. */
function chart(counts: readonly Json[], { since, until, span }: Axis): Html {
  if (counts.length === 0) return html`<p class="muted">Nothing was decided in that time.</p>`
  const bars = Math.max(1, Math.ceil((until - since) / span))
  const stacks = new Map<number, Map<string, number>>()
  for (const count of counts) {
    const at = Math.floor(((number(count, 'from') ?? since) - since) / span)
    const stack = stacks.get(at) ?? new Map<string, number>()
    stack.set(text(count, 'effect'), number(count, 'events') ?? 0)
    stacks.set(at, stack)
  }
  const most = Math.max(1, ...[...stacks.values()].map((stack) => sum([...stack.values()])))
  const width = WIDTH / bars
  const rects = [...stacks].flatMap(([at, stack]) => {
    let below = HEIGHT
    return EFFECTS.flatMap((effect) => {
      const events = stack.get(effect) ?? 0
      if (events === 0) return []
      const height = Math.max(1, (events / most) * HEIGHT)
      below -= height
      return html`<rect class="${effect}" x="${(at * width).toFixed(1)}" y="${below.toFixed(1)}" width="${Math.max(1, width - 1).toFixed(1)}" height="${height.toFixed(1)}"><title>${new Date((since + at * span) * 1000).toISOString().slice(0, 16).replace('T', ' ')} UTC: ${events} ${effect}</title></rect>`
    })
  })
  const totals = EFFECTS.map(
    (effect) =>
      [
        effect,
        sum(
          counts.filter((each) => text(each, 'effect') === effect).map((each) => number(each, 'events') ?? 0),
        ),
      ] as const,
  )
  return html`<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${totals.map(([effect, total]) => `${total} ${effect}`).join(', ')}; at most ${most} at once">${rects}</svg>
<p class="small"><span class="muted">${timeOf(since)} to ${timeOf(until)}, at most ${most} in one bar.</span> ${totals.map(([effect, total]) => html`<span class="legend"><span class="key ${effect}"></span>${total} ${effect}</span> `)}</p>`
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function eventTable(view: View, events: readonly Json[]): Html {
  if (events.length === 0) return html`<p class="muted">Nothing of that is among the events looked at.</p>`
  return html`<table class="cards">
<thead><tr><th scope="col">When</th><th scope="col">Who</th><th scope="col">What</th><th scope="col">On</th><th scope="col">Outcome</th></tr></thead>
<tbody>
${events.map(
  (event) => html`<tr>
<td>${timeOf(Math.floor(Date.parse(text(event, 'at')) / 1000))}</td>
<td data-label="Who">${text(event, 'username') === '' ? html`<span class="muted">nobody</span>` : html`<a href="${address(view.publicUrl, '/auth/admin/audit', { ...view.query, before: undefined, user: text(event, 'username') })}">${text(event, 'username')}</a>`}</td>
<td data-label="What">${text(event, 'operation') || text(event, 'event')}</td>
<td data-label="On">${
    items(event, 'resources')
      .map((each) => `${text(each, 'type')} ${text(each, 'name') || text(each, 'id')}`)
      .join(', ') || '–'
  }${text(event, 'workspace') === '' ? undefined : html` <span class="muted">in workspace ${text(event, 'workspace')}</span>`}</td>
<td data-label="Outcome"><span class="${text(event, 'effect') === 'allow' ? 'good' : 'bad'}">${text(event, 'effect')}</span>${text(event, 'reason') === '' ? undefined : html` <span class="muted">${text(event, 'reason')}</span>`}</td>
</tr>
`,
)}
</tbody></table>`
}

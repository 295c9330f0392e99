import { type Html, html } from './html.ts'

/** @param at Seconds since the epoch. @returns The minute in UTC, marked up so that programs find the exact time. */
export function timeOf(at: number): Html {
  const iso = new Date(at * 1000).toISOString()
  return html`<time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC</time>`
}

const UNITS = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
] as const

/** @returns A length of time in the largest unit that divides it, e.g. `30 days`, `90 minutes`. */
export function durationOf(seconds: number): string {
  const [unit, size] =
    UNITS.find(([, size]) => seconds >= size && seconds % size === 0) ?? (['second', 1] as const)
  const count = seconds / size
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}

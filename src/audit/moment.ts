let at = Number.NaN
let text = ''

/** What time it is, as events say it: ISO 8601, UTC, to the millisecond. Written once for all events of a millisecond. */
export function moment(): string {
  const now = Date.now()
  if (now !== at) {
    at = now
    text = new Date(now).toISOString()
  }
  return text
}

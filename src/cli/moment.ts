import { InvalidArgumentError } from 'commander'
import { readDuration } from './duration.ts'

const DATE = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d))?$/

/**
 * @param text A date, a date with time and zone (RFC 3339), or how long ago: `2026-11-25`, `2026-11-25T09:00Z`, `2h`.
 * @returns Seconds since the epoch.
 * @throws {InvalidArgumentError}
 */
export function readMoment(text: string, now: number): number {
  if (DATE.test(text)) {
    const at = Date.parse(text)
    if (!Number.isNaN(at)) return Math.floor(at / 1000)
  }
  try {
    return now - readDuration(text)
  } catch {
    throw new InvalidArgumentError('Write 2026-11-25, 2026-11-25T09:00Z, or how long ago: 2h, 30d.')
  }
}

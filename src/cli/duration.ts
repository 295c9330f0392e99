import { InvalidArgumentError } from 'commander'

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }

/**
 * @param text e.g. `90m`, `1h`, `30d`. @returns Seconds.
 * @throws {InvalidArgumentError}
 */
export function readDuration(text: string): number {
  const [, count, unit] = /^([1-9][0-9]{0,8})([smhdw])$/.exec(text) ?? []
  const size = UNITS[unit ?? '']
  if (count === undefined || size === undefined) {
    throw new InvalidArgumentError('Write a number and a unit: 90m, 1h, 30d (s, m, h, d or w).')
  }
  return Number(count) * size
}

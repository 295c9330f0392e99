import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { renderReason } from './document.ts'
import { REASONS } from './reasons.ts'

const PARITY = readFileSync(new URL('../../docs/parity.md', import.meta.url), 'utf8')

describe('docs/parity.md', () => {
  it('has a row for each reason and no other (npm run docs:parity)', () => {
    const rows = PARITY.split('\n').filter((line) => /^\|(?:[^|]*\|){5} \d+ \|$/.test(line))
    expect(rows.map((row) => row.replace(/ \d+ \|$/, ''))).toEqual(
      REASONS.map((reason) => renderReason(reason)),
    )
  })
})

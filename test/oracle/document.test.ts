import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { REASONS_AND_RULES } from './document.ts'

const PARITY = readFileSync(new URL('../../docs/parity.md', import.meta.url), 'utf8')

describe('docs/parity.md', () => {
  it('says what the reasons say (npm run docs:parity)', () => {
    expect(PARITY.slice(PARITY.indexOf('## Where the gateway is stricter'))).toBe(REASONS_AND_RULES)
  })
})

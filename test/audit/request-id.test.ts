import { expect, it } from 'vitest'
import { createRequestIds } from '../../src/audit/request-id.ts'

it('makes ULIDs: 26 characters of Crockford’s base32, the time first', () => {
  // The example time of the ULID specification.
  const id = createRequestIds(() => 1_469_918_176_385)()
  expect(id).toMatch(/^01ARYZ6S41[0-9A-HJKMNP-TV-Z]{16}$/)
})

it('makes ids that sort by time and never repeat', () => {
  let at = 1_764_000_000_000
  const next = createRequestIds(() => at)
  const ids = Array.from({ length: 2000 }, () => {
    at += 1
    return next()
  })
  expect([...ids].sort()).toEqual(ids)
  const sameMillisecond = Array.from({ length: 5000 }, next)
  expect(new Set(sameMillisecond).size).toBe(5000)
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addressKey } from '../../src/limits/address-key.ts'
import { createConcurrencyLimit } from '../../src/limits/concurrency-limit.ts'
import { createRateLimit } from '../../src/limits/rate-limit.ts'

function limitAt(perSecond: number, burst: number, capacity?: number) {
  const clock = { ms: 0 }
  const nowMs = () => clock.ms
  return { clock, limit: createRateLimit({ perSecond, burst, nowMs, ...(capacity && { capacity }) }) }
}

describe('a rate', () => {
  it('lets a burst through, then as many as the rate says', () => {
    const { clock, limit } = limitAt(2, 4)
    expect([1, 2, 3, 4].map(() => limit.take('a'))).toEqual([0, 0, 0, 0])
    expect([limit.take('a'), limit.take('a')]).toEqual([0.5, 0.5])
    clock.ms += 500
    expect([limit.take('a'), limit.take('a')]).toEqual([0, 0.5])
    clock.ms += 60_000
    expect([1, 2, 3, 4, 5].map(() => limit.take('a'))).toEqual([0, 0, 0, 0, 0.5])
  })

  it('is counted for each key, and looking takes nothing', () => {
    const { limit } = limitAt(1, 1)
    expect([limit.look('a'), limit.look('a'), limit.take('a'), limit.look('a')]).toEqual([0, 0, 0, 1])
    expect([limit.take('b'), limit.take('a')]).toEqual([0, 1])
  })

  it('of 0 is no limit', () => {
    const { limit } = limitAt(0, 0)
    expect(Array.from({ length: 1000 }, () => limit.take('a')).every((wait) => wait === 0)).toBe(true)
  })

  it('remembers no more keys than it may', () => {
    const { limit } = limitAt(1, 1, 2)
    for (const key of ['a', 'b', 'c']) limit.take(key)
    expect([limit.look('c'), limit.look('b'), limit.look('a')]).toEqual([1, 1, 0])
  })

  it('never lets more through in any stretch of time than a burst and what the rate gives, and nearly that', () => {
    const steps = fc.array(fc.nat({ max: 400 }), { minLength: 50, maxLength: 300 })
    fc.assert(
      fc.property(
        steps,
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 10 }),
        (waits, rate, burst) => {
          const { clock, limit } = limitAt(rate, burst)
          const passed: number[] = []
          for (const wait of waits) {
            clock.ms += wait
            const seconds = limit.take('a')
            if (seconds === 0) passed.push(clock.ms)
            // What it says to wait is enough, and not more than it takes.
            else expect(seconds).toBeLessThanOrEqual(1 / rate + 1e-9)
          }
          for (let from = 0; from < passed.length; from++) {
            for (let to = from; to < passed.length; to++) {
              const seconds = ((passed[to] ?? 0) - (passed[from] ?? 0)) / 1000
              expect(to - from + 1).toBeLessThanOrEqual(burst + seconds * rate + 1e-6)
            }
          }
        },
      ),
    )
  })
})

describe('requests under way', () => {
  it('are as many as may be, for each key', () => {
    const limit = createConcurrencyLimit(2)
    expect(['a', 'a', 'a', 'b'].map(limit.enter)).toEqual([true, true, false, true])
    limit.leave('a')
    expect(['a', 'a'].map(limit.enter)).toEqual([true, false])
    for (const key of ['a', 'a', 'b']) limit.leave(key)
    expect(['a', 'a', 'a'].map(limit.enter)).toEqual([true, true, false])
  })

  it('may be any number where there is no limit', () => {
    const limit = createConcurrencyLimit(0)
    expect(Array.from({ length: 500 }, () => limit.enter('a')).every(Boolean)).toBe(true)
  })
})

describe('what an address is counted under', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:DB8:1:2::', '2001:db8:1:2'],
    ['2001:db8:1:2:ffff::1', '2001:db8:1:2'],
    ['2001:0db8:0001:0002::1', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['::', '0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['', ''],
  ])('%s: %s', (address, key) => {
    expect(addressKey(address)).toBe(key)
  })
})

import { expect, it } from 'vitest'
import { createUnheardProxies } from '../../src/network/unheard-proxies.ts'

it('tells of each address once an hour, and of ten in all', () => {
  const clock = { now: 1_800_000_000 }
  const told: string[] = []
  const heard = createUnheardProxies(
    () => clock.now,
    (address) => told.push(address),
  )
  for (const address of ['10.0.0.1', '10.0.0.1', '10.0.0.2']) heard(address)
  expect(told).toEqual(['10.0.0.1', '10.0.0.2'])
  clock.now += 3599
  heard('10.0.0.1')
  expect(told).toHaveLength(2)
  clock.now += 1
  heard('10.0.0.1')
  expect(told).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.1'])
  for (let last = 0; last < 100; last++) heard(`192.0.2.${last}`)
  expect(told).toHaveLength(12)
  clock.now += 3600
  heard('10.0.0.9')
  expect(told.at(-1)).toBe('10.0.0.9')
})

import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { after, inTurn, type Soon, together } from '../src/soon.ts'

const later = async <T>(value: T): Promise<T> => {
  await turn()
  return value
}
const double = (value: number): Soon<number> => value * 2
const doubleLater = (value: number): Soon<number> => later(value * 2)
const mixed = (value: number): Soon<number> => (value % 2 === 0 ? double(value) : doubleLater(value))
const fault = new Error('no')

describe.each([
  ['inTurn', inTurn],
  ['together', together],
] as const)('%s', (_, all) => {
  it.each([[[]], [[1]], [[1, 2, 3, 4]]])('has the results of %j at once if all are there', (items) => {
    expect(all(items, double)).toEqual(items.map((item) => item * 2))
  })

  it.each([
    ['all', doubleLater],
    ['some', mixed],
  ])('has them in order if %s come later', async (_kind, step) => {
    const results = all([4, 3, 2, 1], step)
    expect(results).toBeInstanceOf(Promise)
    expect(await results).toEqual([8, 6, 4, 2])
  })

  it('fails as the step does that comes first', async () => {
    const step = (item: number): Soon<number> => {
      if (item === 2) throw fault
      return later(item).then(() => Promise.reject(fault))
    }
    await expect((async () => all([1, 2, 3], step))()).rejects.toBe(fault)
    await turn()
  })
})

it('inTurn does one step after the other', async () => {
  const seen: string[] = []
  await inTurn([1, 2], async (item) => {
    seen.push(`begin ${item}`)
    await turn()
    seen.push(`end ${item}`)
  })
  expect(seen).toEqual(['begin 1', 'end 1', 'begin 2', 'end 2'])
})

it('after goes on at once with what is there, and later with what comes', async () => {
  expect(after(1, double)).toBe(2)
  expect(await after(later(1), doubleLater)).toBe(2)
  expect(() =>
    after(1, () => {
      throw fault
    }),
  ).toThrow(fault)
})

/** Chance that is the same in every run: everything that is made from it can be made again. */
export type Chance = {
  /** A number from 0 up to but not including `below`. */
  readonly number: (below: number) => number
  /** True that often, of 1. */
  readonly is: (share: number) => boolean
  readonly of: <T>(items: readonly T[]) => T
  /** One of the keys, as often as its weight says. */
  readonly weighted: <K extends string>(weights: Readonly<Record<K, number>>) => K
  /** A number that is mostly small and seldom large, as sizes of roles and groups are. */
  readonly skewed: (most: number) => number
  /** In the form of a UUID. */
  readonly id: () => string
}

/** @param seed Any whole number. */
export function createChance(seed: number): Chance {
  let state = seed >>> 0
  // A Weyl sequence, mixed (the finalizer of MurmurHash3): small, and good enough to spread rows.
  const word = () => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    return (mixed ^ (mixed >>> 16)) >>> 0
  }
  const share = () => word() / 2 ** 32
  const number = (below: number) => Math.floor(share() * below)
  const hex = () => word().toString(16).padStart(8, '0')
  return {
    number,
    is: (wanted) => share() < wanted,
    of: (items) => {
      const item = items[number(items.length)]
      if (item === undefined) throw new Error('there is nothing to choose from')
      return item
    },
    weighted: (weights) => {
      const entries = Object.entries<number>(weights) as [keyof typeof weights, number][]
      let left = share() * entries.reduce((sum, [, weight]) => sum + weight, 0)
      for (const [key, weight] of entries) {
        left -= weight
        if (left < 0) return key
      }
      throw new Error('there is nothing to choose from')
    },
    skewed: (most) => 1 + Math.floor((most - 1) * share() ** 4),
    id: () => {
      const [a, b, c] = [hex(), hex(), hex()]
      return `${a}-${b.slice(0, 4)}-4${b.slice(5)}-a${c.slice(1, 4)}-${c.slice(4)}${hex()}`
    },
  }
}

import { LRUCache } from 'lru-cache'
import { upTo } from '../room.ts'
import type { Soon } from '../soon.ts'

export type AnswersOptions<V> = {
  /** Asks for what is not known. `undefined`: there is no such thing, which is not kept. */
  readonly ask: (key: string) => Promise<V | undefined>
  /** Answers kept. */
  readonly size: number
  /** Seconds an answer is kept; 0 for good. */
  readonly ttl: number
  /** Seconds, from wherever. */
  readonly now: () => number
  /** Counted up with each question. */
  readonly use?: { hits: number; misses: number } | undefined
}

/** Answers by key. What several ask together is asked for once; a fault is everybody's who waits, and is not kept. */
export class Answers<V extends object | string> {
  readonly #ask: AnswersOptions<V>['ask']
  readonly #kept: LRUCache<string, V>
  readonly #pending = new Map<string, Promise<V | undefined>>()
  readonly #use: { hits: number; misses: number }

  constructor({ ask, size, ttl, now, use = { hits: 0, misses: 0 } }: AnswersOptions<V>) {
    this.#ask = ask
    this.#use = use
    this.#kept = new LRUCache({
      ...upTo(size),
      ttl: ttl * 1000,
      ttlResolution: 0,
      perf: { now: () => now() * 1000 },
    })
  }

  get size(): number {
    return this.#kept.size
  }

  /** The answer; at once, if it is kept. */
  get(key: string): Soon<V | undefined> {
    const known = this.#kept.get(key)
    if (known !== undefined) {
      this.#use.hits += 1
      return known
    }
    this.#use.misses += 1
    const pending = this.#pending.get(key)
    if (pending !== undefined) return pending
    const asked: Promise<V | undefined> = this.#ask(key).then(
      (answer) => {
        if (this.#settle(key, asked) && answer !== undefined) this.#kept.set(key, answer)
        return answer
      },
      (fault: unknown) => {
        this.#settle(key, asked)
        throw fault
      },
    )
    this.#pending.set(key, asked)
    return asked
  }

  /** What is being asked for now still reaches those who wait for it, but is not kept and answers nobody else. */
  forget(key: string): void {
    this.#kept.delete(key)
    this.#pending.delete(key)
  }

  clear(): void {
    this.#kept.clear()
    this.#pending.clear()
  }

  /** @returns False if it was forgotten meanwhile. */
  #settle(key: string, asked: Promise<V | undefined>): boolean {
    return this.#pending.get(key) === asked && this.#pending.delete(key)
  }
}

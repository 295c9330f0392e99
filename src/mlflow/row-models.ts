import { isRepeated, type JsonBytes, plainValueEnd } from './json-bytes.ts'

/** A row that was read, as a model of those that differ from it in plain values only. */
export type RowModel = {
  readonly start: number
  readonly end: number
  /** Start and end of every plain value in it, in order. */
  readonly values: readonly number[]
  /** Four numbers for each member that is looked for: where its value starts and ends, and how many values stand before either place. */
  readonly members: readonly number[]
}

/** Shapes that rows of one list have, as far as they are known. */
export const MAX_MODELS = 8

/**
 * Rows that were read, to recognize others by: a row that differs from one of them in plain values only has the same keys at
 * the same depths, and nothing else. Rows of a list mostly do, and to compare is quicker than to read.
 */
export class RowModels {
  readonly #text: JsonBytes
  readonly #models: RowModel[] = []
  /** How much further than in the model a place is, by the number of values before it. */
  readonly #shifts: number[] = []

  constructor(text: JsonBytes) {
    this.#text = text
  }

  add(model: RowModel): void {
    if (this.#models.length === MAX_MODELS) this.#models.pop()
    this.#models.push(model)
  }

  /**
   * Recognizes the row that starts at `at`.
   *
   * @param members Gets start and end of each member's value, -1 twice for one that is not there.
   * @returns Where the row ends; -1 if it is like none.
   * @throws {Unusual} For a value that is none.
   */
  recognize(at: number, members: number[]): number {
    for (let index = 0; index < this.#models.length; index++) {
      const model = this.#models[index]
      if (model === undefined || !this.#isLike(model, at)) continue
      this.#forward(model, index)
      this.#addMembers(model, members)
      return model.end + (this.#shifts[model.values.length / 2] ?? 0)
    }
    return -1
  }

  /** What recognizes often is tried early. */
  #forward(model: RowModel, index: number): void {
    // Not asked of an array, which is slow to say that it has no -1.
    const before = index > 0 ? this.#models[index - 1] : undefined
    if (before === undefined) return
    this.#models[index - 1] = model
    this.#models[index] = before
  }

  #isLike({ start, end, values }: RowModel, at: number): boolean {
    const text = this.#text
    const shifts = this.#shifts
    let from = start
    let shift = at - start
    shifts[0] = shift
    for (let index = 0; index < values.length; index += 2) {
      const to = values[index] ?? 0
      if (!isRepeated(text, from, from + shift, to - from)) return false
      const valueEnd = plainValueEnd(text, to + shift)
      if (valueEnd === -1) return false
      from = values[index + 1] ?? 0
      shift = valueEnd - from
      shifts[index / 2 + 1] = shift
    }
    return isRepeated(text, from, from + shift, end - from)
  }

  #addMembers({ members: places }: RowModel, members: number[]): void {
    const shifts = this.#shifts
    for (let at = 0; at < places.length; at += 4) {
      const start = places[at] ?? -1
      if (start === -1) members.push(-1, -1)
      else {
        const end = places[at + 1] ?? 0
        members.push(start + (shifts[places[at + 2] ?? 0] ?? 0), end + (shifts[places[at + 3] ?? 0] ?? 0))
      }
    }
  }
}

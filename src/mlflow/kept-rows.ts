import type { ListAnswer } from './list-answer.ts'

/** Bytes of an answer; rows that stood side by side in it are one piece, with what stood between them. */
type Piece = { readonly bytes: Buffer; readonly start: number; end: number }

const COMMA = 0x2c

/** Rows out of one answer or several, byte for byte as they were there, in the order in which they are added. */
export class KeptRows {
  readonly #pieces: Piece[] = []
  #last: { readonly answer: ListAnswer; readonly index: number } | undefined
  #count = 0

  get count(): number {
    return this.#count
  }

  add(answer: ListAnswer, index: number): void {
    const row = answer.rows[index]
    if (row === undefined) throw new RangeError('no such row')
    const piece = this.#pieces.at(-1)
    if (piece !== undefined && this.#last?.answer === answer && this.#last.index === index - 1)
      piece.end = row.end
    else this.#pieces.push({ bytes: answer.bytes, start: row.start, end: row.end })
    this.#last = { answer, index }
    this.#count++
  }

  /** The rows with commas between them, and what stands before and after. */
  between(before: Uint8Array, after: Uint8Array): Buffer {
    const commas = Math.max(this.#pieces.length - 1, 0)
    const length = this.#pieces.reduce((sum, { start, end }) => sum + end - start, commas)
    const whole = Buffer.allocUnsafe(before.length + length + after.length)
    whole.set(before)
    let at = before.length
    for (const [index, { bytes, start, end }] of this.#pieces.entries()) {
      if (index > 0) whole[at++] = COMMA
      at += bytes.copy(whole, at, start, end)
    }
    whole.set(after, at)
    return whole
  }
}

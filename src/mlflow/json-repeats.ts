import { JsonBytes, Unusual } from './json-bytes.ts'
import { JsonWalk } from './json-walk.ts'
import { MAX_MODELS, RowModels } from './row-models.ts'

/** What a text of JSON is like, in fewer bytes. */
export type Repetitive = {
  /**
   * The text without the rows of its lists that differ from an earlier one of the same list in plain values only. What can be
   * told by keys, or by what lies in what, is the same of both; so is whether it is JSON.
   */
  readonly sample: Uint8Array
  /** Names of the lists, all at the top, that have fewer rows in the sample. */
  readonly lists: readonly string[]
}

/**
 * Leaves out what a text of JSON repeats: a batch of metrics is a hundred rows of one shape, and to compare takes a fraction of what
 * making objects of them would.
 *
 * @param bytes An object in UTF-8.
 * @returns `undefined` if little is repeated, or if it takes another look to read it.
 */
export function withoutRepeats(bytes: Uint8Array): Repetitive | undefined {
  try {
    const { kept, size, lists } = repeatsIn(new JsonBytes(bytes))
    return size > bytes.length / 2 ? undefined : { sample: Buffer.concat(kept, size), lists }
  } catch (fault) {
    if (fault instanceof Unusual) return undefined
    throw fault
  }
}

function repeatsIn(text: JsonBytes) {
  const walk = new JsonWalk(text)
  const kept: Uint8Array[] = []
  const lists: string[] = []
  let size = 0
  let keptTo = 0
  const keepTo = (end: number) => {
    if (end <= keptTo) return
    kept.push(text.bytes.subarray(keptTo, end))
    size += end - keptTo
  }
  /** @returns How many of the rows are left out. */
  const readRows = (): number => {
    // Of each list on its own, so that every list with rows has one in the sample.
    const models = new RowModels(text)
    let rowsRead = 0
    let rowsLeftOut = 0
    let rowsEnd = 0
    walk.rows((start) => {
      const end = models.recognize(start, NO_MEMBERS)
      if (end === -1) {
        // With more shapes there is little to be won.
        if (++rowsRead > MAX_MODELS) throw new Unusual()
        models.add(walk.row([]))
      } else {
        keepTo(rowsEnd)
        keptTo = end
        walk.at = end
        rowsLeftOut++
      }
      rowsEnd = walk.at
    })
    return rowsLeftOut
  }
  walk.root((key) => {
    // A batch is plain values and rows; what has other things in it is mostly those, and would be walked through for nothing.
    if (!walk.isAtRows()) walk.plainValue()
    else if (readRows() > 0) lists.push(textOf(walk.keyBytes(key)))
  })
  keepTo(text.bytes.length)
  return { kept, size, lists }
}

const NO_MEMBERS: number[] = []

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8')
}

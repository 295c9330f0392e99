/** For an LRUCache of at most so many entries. Not its `max`, for which it takes room at once: most caches stay small. */
export function upTo(entries: number) {
  return { maxSize: entries, sizeCalculation: one }
}

function one(): number {
  return 1
}

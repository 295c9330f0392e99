/** Stores what a warm read allocates now: the median of three counts. `npm run cost:renew` */
import { readStored, writeStored } from './stored.ts'
import { costOfWarmGet } from './warm-get.ts'

const counts: number[] = []
for (let index = 0; index < 3; index++) counts.push((await costOfWarmGet()).allocatedBytes)
const [, allocatedBytes = Number.NaN] = counts.toSorted((a, b) => a - b)
const before = readStored().allocatedBytes
writeStored({ allocatedBytes, node: process.versions.node })
console.log(
  `${before} → ${allocatedBytes} bytes (${((allocatedBytes / before - 1) * 100).toFixed(1)} %), of ${counts}`,
)

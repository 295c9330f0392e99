import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

export type TreeUsage = {
  /** CPU time in µs since the processes started: user and system, all threads, children that have ended included. */
  readonly cpuUs: number
  /** Resident memory; pages that several processes share count for each of them. */
  readonly residentBytes: number
}

type Stat = { readonly parent: number; readonly ticks: number; readonly pages: number }

const TICK_US = 1_000_000 / systemValue('CLK_TCK', 100)
const PAGE_BYTES = systemValue('PAGESIZE', 4096)

/**
 * What the operating system has booked for these processes and all their descendants (proc(5), `/proc/PID/stat`). It is
 * booked in ticks of 10 ms, so a measurement of a second is good to one in a hundred.
 *
 * @throws {Error} if one of `roots` is gone.
 */
export function treeUsage(roots: readonly number[]): TreeUsage {
  const stats = readStats()
  for (const root of roots) if (!stats.has(root)) throw new Error(`process ${root} has ended`)
  const members = new Set(roots)
  // A child may have a lower number than its parent, so until nobody joins any more.
  for (let size = 0; size !== members.size; ) {
    size = members.size
    for (const [pid, { parent }] of stats) if (members.has(parent)) members.add(pid)
  }
  let [ticks, pages] = [0, 0]
  for (const pid of members) {
    ticks += stats.get(pid)?.ticks ?? 0
    pages += stats.get(pid)?.pages ?? 0
  }
  return { cpuUs: ticks * TICK_US, residentBytes: pages * PAGE_BYTES }
}

/** The most that is resident while `work` runs, above what was before, in bytes. */
export async function growthDuring<T>(
  roots: readonly number[],
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly grownBytes: number }> {
  const before = treeUsage(roots).residentBytes
  let peak = before
  const timer = setInterval(() => {
    peak = Math.max(peak, treeUsage(roots).residentBytes)
  }, 50)
  try {
    return { result: await work(), grownBytes: peak - before }
  } finally {
    clearInterval(timer)
  }
}

function readStats(): ReadonlyMap<number, Stat> {
  const stats = new Map<number, Stat>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = readStat(name)
    if (stat !== undefined) stats.set(Number(name), stat)
  }
  return stats
}

/** @returns undefined if it has ended meanwhile. */
function readStat(pid: string): Stat | undefined {
  let line: string
  try {
    line = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return undefined
  }
  // The second field is the program's name in brackets, and may hold brackets and spaces itself.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  const field = (number: number) => Number(fields[number - 3])
  return { parent: field(4), ticks: field(14) + field(15) + field(16) + field(17), pages: field(24) }
}

function systemValue(name: string, otherwise: number): number {
  const { stdout } = spawnSync('getconf', [name], { encoding: 'utf8' })
  return Number(stdout) || otherwise
}

import { REPLICAS, type ReplicaId } from './company.ts'
import type { World } from './world.ts'

const EVERY_MS = 2000

/** Resident memory of one process, MiB, from its start to its end. */
export type Life = { readonly replica: ReplicaId; readonly pid: number; readonly samples: number[] }

export type MemoryWatch = { readonly lives: readonly Life[]; readonly stop: () => void }

export function watchMemory({ company }: World): MemoryWatch {
  const lives: Life[] = []
  const look = () => {
    for (const replica of REPLICAS) {
      const { pid, child, residentMiB } = company.replica(replica)
      if (child.exitCode !== null || child.signalCode !== null) continue
      const known = lives.find((life) => life.pid === pid)
      const life = known ?? { replica, pid, samples: [] }
      if (known === undefined) lives.push(life)
      const now = residentMiB()
      if (Number.isFinite(now)) life.samples.push(now)
    }
  }
  look()
  const timer = setInterval(look, EVERY_MS)
  return {
    lives,
    stop: () => {
      clearInterval(timer)
      look()
    },
  }
}

/** Begin, most, end. */
export function describeMemory(lives: readonly Life[]): string {
  const lines = lives.map(({ replica, pid, samples }) => {
    const seconds = (samples.length * EVERY_MS) / 1000
    const [begin, most, end] = [samples[0] ?? 0, Math.max(...samples), samples.at(-1) ?? 0].map(Math.round)
    return `  replica ${replica} (${pid}), ${seconds} s: ${begin} MiB, at most ${most}, in the end ${end}`
  })
  return ['Resident memory', ...lines].join('\n')
}

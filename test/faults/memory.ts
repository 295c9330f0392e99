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

/** How long it was watched. */
export function secondsOf({ samples }: Life): number {
  return (samples.length * EVERY_MS) / 1000
}

/** The most there was in each part of a life. */
export function peaks({ samples }: Life, parts: number): readonly number[] {
  const length = samples.length / parts
  return Array.from({ length: parts }, (_, part) =>
    Math.max(...samples.slice(Math.floor(part * length), Math.ceil((part + 1) * length))),
  )
}

/** Begin, the most in each quarter, end. */
export function describeMemory(lives: readonly Life[]): string {
  const lines = lives.map((life) => {
    const { replica, pid, samples } = life
    const [begin, end] = [samples[0] ?? 0, samples.at(-1) ?? 0].map(Math.round)
    const most = peaks(life, 4).map(Math.round).join(', ')
    return `  replica ${replica} (${pid}), ${secondsOf(life)} s: ${begin} MiB, peaks by quarter ${most}, in the end ${end}`
  })
  return ['Resident memory', ...lines].join('\n')
}

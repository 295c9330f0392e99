import { readdirSync, statSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { basename, dirname, extname, join, resolve } from 'node:path'
import type { Config } from '../config.ts'
import { parseDatabaseUrl } from '../store/database-url.ts'
import { type Check, type Finding, fault, ok, skipped, warning } from './check.ts'

const MB = 1024 * 1024

/** Below this the end is near, and below the other it is here. */
const LITTLE = 1024 * MB
const NONE = 100 * MB

/** Room for what the gateway writes on this machine. */
export function diskChecks(config: Config): readonly Check[] {
  const address = parseDatabaseUrl(config.databaseUrl)
  const { auditFile } = config
  const database: readonly Check[] =
    address.kind === 'sqlite'
      ? [
          {
            name: 'disk: database',
            run: () => judgeRoom(dirname(resolve(address.path)), { needed: 0, whose: 'the database' }),
          },
        ]
      : []
  if (auditFile === undefined) return database
  const run = () =>
    judgeRoom(dirname(resolve(auditFile)), { needed: auditRoom(config, auditFile), whose: 'the audit files' })
  return [...database, { name: 'disk: audit files', run }]
}

/** Bytes that the audit files may still grow by. */
function auditRoom({ auditFileMaxMb, auditFileCount }: Config, path: string): number {
  const [folder, name] = [dirname(resolve(path)), basename(path, extname(path))]
  const there = files(folder).filter((file) => file.startsWith(name))
  const used = there.reduce(
    (sum, file) => sum + (statSync(join(folder, file), { throwIfNoEntry: false })?.size ?? 0),
    0,
  )
  return Math.max(0, auditFileMaxMb * MB * (auditFileCount + 1) - used)
}

function files(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

type Need = { readonly needed: number; readonly whose: string }

async function judgeRoom(folder: string, need: Need): Promise<Finding> {
  const room = await statfs(folder).catch(() => undefined)
  if (room === undefined) return skipped(`${folder} cannot be looked at`)
  return judgeFree(folder, room.bavail * room.bsize, need)
}

/** @param free Bytes that the gateway's user may still write. */
export function judgeFree(folder: string, free: number, { needed, whose }: Need): Finding {
  const left = `${Math.floor(free / MB)} MB are left in ${folder}`
  if (free < NONE) {
    return fault({
      what: left,
      why: `When it is full ${whose} cannot be written: nobody signs in, and what is decided is not on record.`,
      advice: 'Make room, or move it to a larger disk.',
    })
  }
  if (free < needed) {
    return warning({
      what: `${left}, and ${whose} may grow by ${Math.ceil(needed / MB)} MB`,
      why: 'Before the oldest are removed the disk is full.',
      advice: 'Lower AUDIT_FILE_COUNT or AUDIT_FILE_MAX_MB, or make room.',
    })
  }
  if (free < LITTLE) {
    return warning({
      what: left,
      why: 'A million audit events take about 1 GB in the database.',
      advice: 'Make room, or lower AUDIT_STORE_MAX_EVENTS.',
    })
  }
  return ok(left)
}

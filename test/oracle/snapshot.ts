import { closeSync, cpSync, existsSync, openSync, readdirSync, readSync, rmSync } from 'node:fs'
import BetterSqlite3 from 'better-sqlite3'

/** What puts something back as it was when the snapshot was taken. */
export type Snapshot = {
  /** @returns False if nothing had changed. */
  readonly restore: () => boolean
  readonly close: () => void
}

/** Where SQLite counts the changes of a file that is not in WAL mode (file format, §1.3.7). */
const CHANGE_COUNTER = { offset: 24, length: 4 }

/**
 * The content of a SQLite file that a server has open: every row is put back, in one transaction, while it runs.
 *
 * @param file Not in WAL mode.
 * @param copy Where the content to come back to is kept, or is already.
 */
export async function snapshotDatabase(file: string, copy: string): Promise<Snapshot> {
  const db = new BetterSqlite3(file, { timeout: 10_000 })
  await db.backup(copy)
  return restorer(db, file, copy)
}

/** Puts the rows of `from` into `file`, which has the same schema, and takes that for its snapshot. */
export function fillDatabase(file: string, from: string): Snapshot {
  const snapshot = restorer(new BetterSqlite3(file, { timeout: 10_000 }), file, from)
  snapshot.restore()
  return snapshot
}

function restorer(db: BetterSqlite3.Database, file: string, copy: string): Snapshot {
  db.pragma('foreign_keys = OFF')
  db.pragma('synchronous = OFF')
  db.prepare('attach ? as kept').run(copy)
  const names = db
    .prepare("select name from kept.sqlite_master where type = 'table' and name not like 'sqlite_%'")
    .pluck()
    .all() as string[]
  const columnsOf = db.prepare("select group_concat('\"' || name || '\"') from pragma_table_info(?)").pluck()
  const steps = names.map((name) => {
    // Generated columns are not among them.
    const columns = columnsOf.get(name) as string
    const rowsOf = (schema: string) => `select ${columns} from ${schema}."${name}"`
    return {
      differs: db
        .prepare(
          `select exists (${rowsOf('main')} except ${rowsOf('kept')})
             or (select count(*) from main."${name}") <> (select count(*) from kept."${name}")`,
        )
        .pluck(),
      clear: db.prepare(`delete from main."${name}"`),
      fill: db.prepare(`insert into main."${name}" (${columns}) ${rowsOf('kept')}`),
    }
  })
  const putBack = db.transaction(() => {
    for (const { differs, clear, fill } of steps) {
      if (differs.get() !== 1) continue
      clear.run()
      fill.run()
    }
  })
  let counted: string | undefined
  return {
    restore() {
      if (changeCounter(file) === counted) return false
      putBack.immediate()
      counted = changeCounter(file)
      return true
    },
    close: () => db.close(),
  }
}

function changeCounter(file: string): string {
  const descriptor = openSync(file, 'r')
  try {
    const bytes = Buffer.alloc(CHANGE_COUNTER.length)
    readSync(descriptor, bytes, 0, CHANGE_COUNTER.length, CHANGE_COUNTER.offset)
    return bytes.toString('hex')
  } finally {
    closeSync(descriptor)
  }
}

/** A folder of few files, only their names are compared; filled from `copy` if that is there already. */
export function snapshotFolder(folder: string, copy: string): Snapshot {
  if (!existsSync(copy)) cpSync(folder, copy, { recursive: true })
  const names = (of: string) =>
    existsSync(of) ? readdirSync(of, { recursive: true }).toSorted().join('\n') : ''
  const kept = names(copy)
  const snapshot = {
    restore() {
      if (names(folder) === kept) return false
      rmSync(folder, { recursive: true, force: true })
      cpSync(copy, folder, { recursive: true })
      return true
    },
    close: () => undefined,
  }
  snapshot.restore()
  return snapshot
}

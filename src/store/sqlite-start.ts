import { codeOf, DatabaseStartError } from './postgres-start.ts'

/** What keeps a gateway from starting on a file, by SQLite's own codes, with what to do. */
const REMEDIES: Readonly<Record<string, string>> = {
  SQLITE_FULL: 'the disk is full. Make room where the file is',
  SQLITE_IOERR: 'it cannot be read or written. Look at the disk and its quotas, and at the log of the system',
  SQLITE_READONLY: 'it may not be written. Make the user of the gateway the owner of the file and its folder',
  SQLITE_CANTOPEN:
    'it cannot be opened. Check the path, and that the user of the gateway may write into its folder',
  SQLITE_BUSY: 'another process writes to it for too long. Look who has it open',
  SQLITE_NOTADB: 'it is no SQLite file. Check the path',
  SQLITE_CORRUPT: 'it is damaged. Keep a copy, and restore the last backup (store restore)',
}

/** The fault as somebody who has to mend it needs it, as far as the file is at fault. */
export function explainedSqlite(fault: unknown): unknown {
  const [, primary = ''] = /^(SQLITE_[A-Z]+)/.exec(codeOf(fault) ?? '') ?? []
  const remedy = REMEDIES[primary]
  if (remedy === undefined) return fault
  return new DatabaseStartError(`The database of DATABASE_URL cannot be used: ${remedy}.`, { cause: fault })
}

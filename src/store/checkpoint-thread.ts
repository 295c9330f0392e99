import { parentPort, workerData } from 'node:worker_threads'
import SQLite from 'better-sqlite3'

/** Of {@link createCheckpoints}: does a checkpoint per message, until it is told to end. */
const database = new SQLite(String(workerData), { timeout: 0, fileMustExist: true })

/** What is written during a checkpoint is left for the next one, which has little to do. */
const MOST_ROUNDS = 10

/** Passive: nobody who reads or writes waits for it. */
const checkpoint = database.prepare<[], { readonly log: number }>('pragma wal_checkpoint(PASSIVE)')

/** Only when the last page of the log is in the database does the log begin anew instead of growing. */
function moveAll(): void {
  let seen = -1
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const pages = checkpoint.get()?.log ?? 0
    if (pages === seen) return
    seen = pages
  }
}

parentPort?.on('message', (message: 'checkpoint' | 'end') => {
  if (message === 'end') {
    database.close()
    parentPort?.close()
    return
  }
  try {
    moveAll()
  } catch {
    // A full disk, say: the next who writes finds out, and is told.
  }
  parentPort?.postMessage('done')
})

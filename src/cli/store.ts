import { basename } from 'node:path'
import type { Command } from 'commander'
import type { StoreAddress } from '../config/database.ts'
import { backUpStore, copyStore, migrateStore, restoreStore } from '../store/backup.ts'
import { DatabaseUrlError, parseDatabaseUrl } from '../store/database-url.ts'
import type { Progress, StoreDigest } from '../store/transfer.ts'
import { type Act, recordAct } from './act.ts'
import { addCommand, type Cli, createGroup, type Outcome, table, UsageError } from './command.ts'
import { databaseOf, readDatabaseVariables, readSecretIfSet, recordingIn } from './store-access.ts'

/** `store migrate | backup | restore | copy`: where the gateway keeps everything, as a whole. */
export function storeCommands(cli: Cli): Command {
  const group = createGroup('store', 'where the gateway keeps everything, as a whole')
  addCommand(cli, group, {
    usage: 'migrate',
    summary: 'bring the store to the schema of this version, as the server does when it starts',
    run: () => migrate(cli),
  })
  addCommand(cli, group, {
    usage: 'backup <file>',
    summary: 'write all of the store into a new file; gateways may go on meanwhile',
    run: ([file = '']) => backUp(cli, file),
  })
  addCommand(cli, group, {
    usage: 'restore <file>',
    summary: 'fill an empty store from a backup, of SQLite or PostgreSQL',
    run: ([file = '']) => restore(cli, file),
  })
  addCommand<CopyOptions>(cli, group, {
    usage: 'copy',
    summary: 'carry a store over into another, empty one',
    options: [
      {
        flags: '--from <url>',
        summary: 'the store to read: a database URL, or @FILE with one',
        required: true,
      },
      { flags: '--to <url>', summary: 'the store to fill, likewise', required: true },
    ],
    example: 'store copy --from sqlite:./gateway.db --to @/run/secrets/database-url',
    run: (_, options) => copy(cli, options),
  })
  return group
}

type CopyOptions = { readonly from: string; readonly to: string }

async function migrate(cli: Cli): Promise<Outcome> {
  const store = databaseOf(cli, readDatabaseVariables(cli))
  const { before = null, now } = await migrateStore(store)
  // Not of an empty one, which then still is: a backup can be restored into it.
  if (before !== null && before !== now) {
    const resources = [{ type: 'schema', id: now }]
    await putOnRecord(cli, store, { event: 'store_migrated', command: 'store migrate', resources })
  }
  const text = before === now ? `The store is at ${now} already.\n` : `The store is at ${now} now.\n`
  return { text, json: { before, now } }
}

async function backUp(cli: Cli, file: string): Promise<Outcome> {
  const source = databaseOf(cli, readDatabaseVariables(cli))
  const tables = await backUpStore(source, file, { madeAt: cli.now(), onTable: progress(cli, 'found') })
  const resources = [{ type: 'backup', id: basename(file) }]
  await putOnRecord(cli, source, { event: 'store_backed_up', command: 'store backup', resources })
  return outcome(`Written to ${file}, readable for you alone.`, tables)
}

async function restore(cli: Cli, file: string): Promise<Outcome> {
  const target = databaseOf(cli, readDatabaseVariables(cli))
  const tables = await restoreStore(file, target, progress(cli, 'restored'))
  const resources = [{ type: 'backup', id: basename(file) }]
  await putOnRecord(cli, target, { event: 'store_restored', command: 'store restore', resources })
  return outcome(
    'Restored, and found to be as it was written. Start the gateway with the GATEWAY_SECRET it had.',
    tables,
  )
}

async function copy(cli: Cli, { from, to }: CopyOptions): Promise<Outcome> {
  const [source, target] = [named(cli, '--from', from), named(cli, '--to', to)]
  if (source.databaseUrl === target.databaseUrl) throw new UsageError('--from and --to are the same store')
  const tables = await copyStore(source, target, progress(cli, 'copied'))
  // On both sides: where everything went, and where it came from.
  for (const [store, other] of [
    [source, target],
    [target, source],
  ] as const) {
    const resources = [{ type: 'store', id: parseDatabaseUrl(other.databaseUrl).kind }]
    await putOnRecord(cli, store, {
      event: 'store_copied',
      command: store === source ? 'store copy --from' : 'store copy --to',
      resources,
    })
  }
  return outcome(
    'Copied, and found to be the same. Set DATABASE_URL to the new one and start the gateway.',
    tables,
  )
}

/**
 * Puts it on record in that store. A backup is made, and a store restored, without GATEWAY_SECRET too, since who holds
 * both holds everything: then, or if it is another one's, there is no way to add to a chain, and that is said.
 */
async function putOnRecord(cli: Cli, store: StoreAddress, act: Act): Promise<void> {
  const secret = readSecretIfSet(cli)
  const note = (why: string) => cli.err(`note: ${act.command} is not on record in the audit log: ${why}\n`)
  if (secret === undefined) return note('GATEWAY_SECRET is not set')
  try {
    // Where sessions are does not matter here, and need not be reached.
    await recordingIn(cli, { ...store, redis: undefined }, secret, (recorded) => recordAct(recorded, act))
  } catch (error) {
    note(error instanceof Error ? error.message : 'the store did not take it')
  }
}

function progress({ err }: Cli, what: string): Progress {
  return (name, rows) => err(`${name}: ${rows} ${what}\n`)
}

function outcome(sentence: string, tables: StoreDigest): Outcome {
  const rows = [...tables].map(([name, each]) => [name, `${each.rows}`, each.digest.slice(0, 16)])
  return {
    text: `${table(['TABLE', 'ROWS', 'SHA-256'], rows, '')}${sentence}\n`,
    json: { tables: Object.fromEntries(tables) },
  }
}

/** What stands on a command line is seen by everybody on the machine, so a URL may come from a file. */
function named(cli: Cli, option: string, given: string): StoreAddress {
  const url = given.startsWith('@') ? readUrl(cli, option, given.slice(1)) : given
  try {
    parseDatabaseUrl(url)
  } catch (error) {
    if (!(error instanceof DatabaseUrlError)) throw error
    throw new UsageError(`The URL of ${option} ${error.problem}. ${error.remedy}`)
  }
  return databaseOf(cli, { ...readDatabaseVariables(cli), DATABASE_URL: url })
}

function readUrl({ readFile }: Cli, option: string, path: string): string {
  try {
    return readFile(path).trim()
  } catch {
    throw new UsageError(`${option} names a file that cannot be read: ${path}`)
  }
}

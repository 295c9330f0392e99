import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'

/** What a request changed, each as what owns it: `experiment:2`, `named:own-1`, `registered:beta-model`, `file:2`. */
export type Touched = ReadonlySet<string>

type Value = string | number | bigint | Buffer | null
type Row = Readonly<Record<string, Value>>
/** Rows by their own text. */
type Rows = ReadonlyMap<string, Row>
type Tables = ReadonlyMap<string, Rows>
type Files = ReadonlyMap<string, Buffer>

/** Everything that a tracking server keeps, in its SQLite file and its artifact folder, as it was when this was made. */
export type State = {
  /** What changed since. Puts it back, so that every request meets the same state. */
  readonly undo: () => Touched
  readonly close: () => void
}

/** Whose rows these are is said by the rows they belong to. */
const HOMES = ['run_uuid', 'model_id', 'request_id', 'trace_id', 'scorer_id', 'queue_id'] as const
/** What these name belongs to somebody else, perhaps: it was acted on if the link is new. */
const LINKS = ['run_id', 'source_run_id', 'source_id', 'destination_id', 'input_uuid'] as const
const OWNED_BY_NAME: ReadonlySet<string> = new Set([
  'registered_models',
  'model_versions',
  'registered_model_tags',
  'model_version_tags',
  'registered_model_aliases',
])

/** @param dir Where the server keeps `mlflow.db` and `artifacts/`. Nobody may write to it but requests that `undo` is to see. */
export function watchState(dir: string): State {
  const db = new Database(join(dir, 'mlflow.db'))
  db.pragma('foreign_keys = OFF')
  const names = tableNames(db)
  const artifacts = join(dir, 'artifacts')
  const tables = readTables(db, names)
  const files = readFiles(artifacts)
  let version = db.pragma('data_version', { simple: true })
  const undo = (): Touched => {
    const touched = new Set(undoFiles(artifacts, files))
    // Another connection's commit changes the number; nothing is read as long as there was none.
    if (db.pragma('data_version', { simple: true }) === version) return touched
    const now = readTables(db, names)
    const changes = names.flatMap((table) => changesOf(table, tables.get(table), now.get(table)))
    const owners = ownersOf([tables, now], tables)
    for (const table of names) {
      const rows = changes.filter((change) => change.table === table)
      for (const owner of ownersOfChanges(table, rows, owners)) touched.add(owner)
    }
    putBack(db, changes)
    version = db.pragma('data_version', { simple: true })
    return touched
  }
  return { undo, close: () => db.close() }
}

function tableNames(db: Database.Database): readonly string[] {
  const rows = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all() as { name: string }[]
  return rows.map(({ name }) => name).filter((name) => !name.startsWith('sqlite_'))
}

function readTables(db: Database.Database, names: readonly string[]): Tables {
  return new Map(
    names.map((name) => {
      const rows = db.prepare(`SELECT ${columnsOf(db, name)} FROM "${name}"`).all() as Row[]
      return [name, new Map(rows.map((row) => [JSON.stringify(Object.values(row)), row]))]
    }),
  )
}

/** Without generated columns, which cannot be written. */
function columnsOf(db: Database.Database, table: string): string {
  const columns = db.pragma(`table_info("${table}")`) as { name: string }[]
  return columns.map(({ name }) => `"${name}"`).join(', ')
}

type Change = { readonly table: string; readonly row: Row; readonly isNew: boolean }

const NONE: Rows = new Map()

function changesOf(table: string, old: Rows = NONE, now: Rows = NONE): Change[] {
  const added = [...now].filter(([text]) => !old.has(text)).map(([, row]) => ({ table, row, isNew: true }))
  const gone = [...old].filter(([text]) => !now.has(text)).map(([, row]) => ({ table, row, isNew: false }))
  return [...added, ...gone]
}

function putBack(db: Database.Database, changes: readonly Change[]): void {
  db.transaction(() => {
    for (const { table, row } of changes.filter(({ isNew }) => isNew)) {
      const where = Object.keys(row).map((column) => `"${column}" IS ?`)
      db.prepare(`DELETE FROM "${table}" WHERE ${where.join(' AND ')}`).run(...Object.values(row))
    }
    for (const { table, row } of changes.filter(({ isNew }) => !isNew)) {
      const columns = Object.keys(row).map((column) => `"${column}"`)
      const values = columns.map(() => '?').join(', ')
      db.prepare(`INSERT INTO "${table}" (${columns.join(', ')}) VALUES (${values})`).run(
        ...Object.values(row),
      )
    }
  })()
}

type Owners = {
  /** Of runs, logged models, traces, scorers, queues and inputs, by id. A trace that was moved has two. */
  readonly byId: ReadonlyMap<string, ReadonlySet<string>>
  /** Experiments, by id. One that is new has but its name. */
  readonly experiments: ReadonlyMap<string, string>
}

function ownersOf(states: readonly Tables[], before: Tables): Owners {
  const old = new Set(
    [...(before.get('experiments')?.values() ?? [])].map((row) => String(row['experiment_id'])),
  )
  const experiments = new Map<string, string>()
  const byId = new Map<string, Set<string>>()
  for (const tables of states) {
    for (const row of tables.get('experiments')?.values() ?? []) {
      const id = String(row['experiment_id'])
      experiments.set(id, old.has(id) ? `experiment:${id}` : `named:${row['name']}`)
    }
    const own = (table: string, column: string) => {
      for (const row of tables.get(table)?.values() ?? []) {
        const id = String(row[column])
        const found = byId.get(id) ?? new Set()
        byId.set(
          id,
          found.add(experiments.get(String(row['experiment_id'])) ?? `experiment:${row['experiment_id']}`),
        )
      }
    }
    own('runs', 'run_uuid')
    own('logged_models', 'model_id')
    own('trace_info', 'request_id')
    own('datasets', 'dataset_uuid')
    own('scorers', 'scorer_id')
    own('review_queues', 'queue_id')
    for (const row of tables.get('inputs')?.values() ?? []) {
      const ends = [row['source_id'], row['destination_id']].flatMap((id) => [
        ...(byId.get(String(id)) ?? []),
      ])
      byId.set(String(row['input_uuid']), new Set(ends))
    }
  }
  return { byId, experiments }
}

/** Everything that changed rows belong to, and what they lead to that they did not before. */
function ownersOfChanges(table: string, changes: readonly Change[], owners: Owners): readonly string[] {
  const links = (isNew: boolean) =>
    new Set(
      changes
        .filter((change) => change.isNew === isNew)
        .flatMap(({ row }) => LINKS.map((column) => row[column])),
    )
  const gained = [...links(true)].filter((id) => !links(false).has(id))
  return [
    ...changes.flatMap(({ row }) => ownersOfRow(table, row, owners)),
    ...gained.flatMap((id) => [...(owners.byId.get(String(id)) ?? [])]),
  ]
}

/** What a row belongs to; something that nobody owns is the server's. */
function ownersOfRow(table: string, row: Row, { byId, experiments }: Owners): readonly string[] {
  const found: string[] = []
  const experiment = row['experiment_id']
  if (experiment !== undefined && experiment !== null) {
    found.push(experiments.get(String(experiment)) ?? `experiment:${experiment}`)
  }
  if (OWNED_BY_NAME.has(table)) found.push(`registered:${row['name']}`)
  for (const column of HOMES) {
    const id = row[column]
    if (typeof id === 'string' && id !== '') found.push(...(byId.get(id) ?? [`unknown:${id}`]))
  }
  if (found.length > 0 || LINKS.some((column) => byId.has(String(row[column])))) return found
  return [`table:${table}`]
}

function readFiles(dir: string): Files {
  return new Map(
    readdirSync(dir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => {
        const path = join(entry.parentPath, entry.name)
        return [path.slice(dir.length + 1), readFileSync(path)]
      }),
  )
}

/** @returns Whose files they were: `file:` and the folder at the top. */
function undoFiles(dir: string, before: Files): readonly string[] {
  const now = readFiles(dir)
  const changed: string[] = []
  for (const path of now.keys()) {
    if (before.has(path)) continue
    rmSync(join(dir, path))
    changed.push(path)
  }
  for (const [path, bytes] of before) {
    if (now.get(path)?.equals(bytes)) continue
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), bytes)
    changed.push(path)
  }
  return changed.map((path) => `file:${path.split('/', 1)[0]}`)
}

import { constants } from 'node:fs'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { TABLES, type TableName } from './tables.ts'
import type { RowBatch, StoreDigest, Value } from './transfer.ts'

/** Told from any other file of JSON lines by this. */
const FORMAT = 'mlflow-auth-gateway store'

const VERSION = 1

/** The first line of a backup. */
export type DumpHeader = {
  /** The last step of the schema it was made under. */
  readonly schema: string
  /** Seconds since the epoch. */
  readonly madeAt: number
  readonly tables: StoreDigest
}

/**
 * Writes a backup: a line with the header, then for each batch of rows a line that names table and columns, and a line a
 * row. Readable for its owner only, whatever the umask; nothing is left of it if it cannot be finished.
 *
 * @throws {Error} If the file exists already, or cannot be written.
 */
export async function writeDump(
  path: string,
  header: DumpHeader,
  batches: AsyncIterable<RowBatch>,
): Promise<void> {
  const file = await create(path)
  try {
    await file.chmod(0o600)
    await file.appendFile(lineOf(toJson(header)))
    for await (const { table, columns, rows } of batches) {
      await file.appendFile([{ table, columns }, ...rows].map(lineOf).join(''))
    }
    await file.sync()
  } catch (error) {
    await unlink(path)
    throw error
  } finally {
    await file.close()
  }
}

/** JSON in one line, also to readers that end lines at U+2028 and U+2029, as Node's does. */
function lineOf(content: unknown): string {
  return `${JSON.stringify(content).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')}\n`
}

async function create(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
  } catch (error) {
    const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST'
    const why = exists ? 'exists already: name another' : 'cannot be made: check its folder'
    throw new Error(`${path} ${why}`, { cause: error })
  }
}

export type Dump = {
  readonly header: DumpHeader
  /** To be read once. */
  readonly batches: AsyncIterable<RowBatch>
  readonly close: () => Promise<void>
}

/** @throws {Error} If there is no such file or it is no backup that this version can read. */
export async function openDump(path: string): Promise<Dump> {
  let file: FileHandle
  try {
    file = await open(path)
  } catch (error) {
    throw new Error(`${path} cannot be read: check its name, and that you may read it`, { cause: error })
  }
  const lines = file.readLines()[Symbol.asyncIterator]()
  try {
    const header = fromJson(parse((await lines.next()).value ?? ''), path)
    return { header, batches: readBatches(lines, path), close: () => file.close() }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** Lines of a batch are gathered up to this many, as they were written. */
const ROWS_PER_BATCH = 1000

async function* readBatches(lines: AsyncIterator<string>, path: string): AsyncGenerator<RowBatch> {
  let heading: Omit<RowBatch, 'rows'> | undefined
  let rows: (readonly Value[])[] = []
  for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
    const content = parse(line.value)
    if (Array.isArray(content) && heading !== undefined) rows.push(rowOf(content, heading, path))
    else {
      if (heading !== undefined && rows.length > 0) yield { ...heading, rows }
      heading = headingOf(content, path)
      rows = []
    }
    if (heading !== undefined && rows.length === ROWS_PER_BATCH) {
      yield { ...heading, rows }
      rows = []
    }
  }
  if (heading !== undefined && rows.length > 0) yield { ...heading, rows }
}

function rowOf(
  content: readonly unknown[],
  { columns }: Omit<RowBatch, 'rows'>,
  path: string,
): readonly Value[] {
  const isRow = content.length === columns.length && content.every(isValue)
  if (!isRow) throw damaged(path)
  return content
}

function isValue(value: unknown): value is Value {
  return value === null || typeof value === 'string' || Number.isSafeInteger(value)
}

function headingOf(content: unknown, path: string): Omit<RowBatch, 'rows'> {
  const { table, columns } = fieldsOf(content)
  const isHeading =
    typeof table === 'string' &&
    Object.hasOwn(TABLES, table) &&
    Array.isArray(columns) &&
    columns.every((column) => typeof column === 'string' && /^[a-z_]+$/.test(column))
  if (!isHeading) throw damaged(path)
  return { table: table as TableName, columns }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function fieldsOf(content: unknown): Readonly<Record<string, unknown>> {
  return typeof content === 'object' && content !== null ? { ...content } : {}
}

function damaged(path: string): Error {
  return new Error(
    `${path} is damaged: a line is not as it was written. Nothing was kept; use another backup`,
  )
}

function toJson({ schema, madeAt, tables }: DumpHeader): object {
  return { format: FORMAT, version: VERSION, schema, made_at: madeAt, tables: Object.fromEntries(tables) }
}

function fromJson(content: unknown, path: string): DumpHeader {
  const { format, version, schema, made_at: madeAt, tables } = fieldsOf(content)
  if (format !== FORMAT) throw new Error(`${path} is no backup that store backup has made`)
  if (version !== VERSION) throw new Error(`${path} was made by a newer gateway: restore it with that one`)
  if (typeof schema !== 'string' || typeof madeAt !== 'number') throw damaged(path)
  const digests = Object.entries(fieldsOf(tables)).map(([table, digest]) => {
    const { rows, digest: sum } = fieldsOf(digest)
    if (!Object.hasOwn(TABLES, table) || typeof rows !== 'number' || typeof sum !== 'string')
      throw damaged(path)
    return [table as TableName, { rows, digest: sum }] as const
  })
  return { schema, madeAt, tables: new Map(digests) }
}

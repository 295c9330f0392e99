import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { freePort } from './mlflow.ts'

export type PostgresServer = {
  readonly port: number
  /** Where its own files are, readable for the user it runs as. */
  readonly folder: string
  /** @param parameters e.g. `sslmode=require`. */
  readonly url: (database: string, parameters?: string) => string
  /** Ends it as a crash would, keeping the data. */
  readonly halt: () => Promise<void>
  /** Starts it anew after `halt`. */
  readonly resume: () => Promise<void>
  /** Ends it and removes its data. */
  readonly stop: () => Promise<void>
}

const READY_WITHIN_MS = 30_000

/** Ends the server when this process does, however it ends: then the pipe it reads from is closed. */
const GUARD = '"$@" & server=$!; read -r _; kill -QUIT "$server"; wait "$server"'

/**
 * A PostgreSQL of its own on loopback and a free port, without passwords and without waiting for the disk. Root may not
 * run one, so then the user `postgres` does.
 *
 * @param prepare Puts files into the server's folder; what it returns are settings of postgresql.conf, e.g. `ssl=on`.
 */
export async function startPostgres(
  prepare: (folder: string) => readonly string[] = () => [],
): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-postgres-'))
  const settings = prepare(folder)
  for (const file of readdirSync(folder)) own(join(folder, file), 0o600)
  own(folder, 0o755)
  const data = join(folder, 'data')
  const init = asServer(program('initdb'), [
    '-D',
    data,
    '-A',
    'trust',
    '-U',
    'gateway',
    '-E',
    'UTF8',
    '--no-sync',
  ])
  const made = spawnSync(...init, { encoding: 'utf8', cwd: folder })
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`)
  const port = await freePort()
  const url = (database: string, parameters = '') =>
    `postgres://gateway@127.0.0.1:${port}/${database}${parameters && `?${parameters}`}`
  const options = [
    ...['fsync=off', 'full_page_writes=off', 'listen_addresses=127.0.0.1', 'max_connections=300'],
    ...[`port=${port}`, `unix_socket_directories=${folder}`, ...settings],
  ]
  let child: ChildProcess | undefined
  const resume = async () => {
    const server = [program('postgres'), '-D', data, ...options.flatMap((option) => ['-c', option])]
    child = spawn(...asServer('sh', ['-c', GUARD, 'sh', ...server]), {
      cwd: folder,
      stdio: ['pipe', 'ignore', 'pipe'],
    })
    await answers(url('postgres'), child)
  }
  const halt = async () => {
    if (child === undefined || child.exitCode !== null) return
    const ended = once(child, 'exit')
    child.stdin?.end()
    await ended
  }
  const stop = async () => {
    await halt()
    rmSync(folder, { recursive: true, force: true })
  }
  await resume().catch(async (error) => {
    await stop()
    throw error
  })
  return { port, folder, url, halt, resume, stop }
}

/** Makes a database and returns its URL. @param template What it begins as. */
export async function createDatabase(server: string, template: string): Promise<string> {
  const name = `test_${randomBytes(6).toString('hex')}`
  await run(server, `create database ${name} template ${template}`)
  return withDatabase(server, name)
}

/** Removes a database, ending whoever is still connected to it. */
export async function dropDatabase(server: string, databaseUrl: string): Promise<void> {
  await run(server, `drop database if exists ${new URL(databaseUrl).pathname.slice(1)} with (force)`)
}

/** The same server's URL with another database. */
export function withDatabase(server: string, database: string): string {
  const url = new URL(server)
  url.pathname = `/${database}`
  return url.href
}

/** Runs statements on a connection of their own. @returns The rows of the last. */
export async function run(databaseUrl: string, sql: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: databaseUrl })
  client.on('error', () => undefined)
  await client.connect()
  try {
    const result: pg.QueryResult | pg.QueryResult[] = await client.query(sql)
    return (Array.isArray(result) ? result.at(-1)?.rows : result.rows) ?? []
  } finally {
    await client.end()
  }
}

async function answers(url: string, child: ChildProcess): Promise<void> {
  let errors = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    errors = `${errors}${chunk}`.slice(-4096)
  })
  const deadline = Date.now() + READY_WITHIN_MS
  while (Date.now() < deadline && child.exitCode === null) {
    if (await run(url, 'select 1').catch(() => undefined)) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`PostgreSQL did not start: ${errors}`)
}

function own(path: string, mode: number): void {
  if (process.getuid?.() !== 0) return
  const [uid, gid] = ['-u', '-g'].map((flag) =>
    Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout),
  )
  chownSync(path, uid ?? 0, gid ?? 0)
  chmodSync(path, mode)
}

function asServer(command: string, args: readonly string[]): [string, string[]] {
  if (process.getuid?.() !== 0) return [command, [...args]]
  return ['runuser', ['-u', 'postgres', '--', command, ...args]]
}

/** Debian keeps the server's programs out of the path, one folder a version: the newest counts. */
function program(name: string): string {
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : []
  const found = versions.map((version) => join(root, version, 'bin', name)).find(existsSync)
  return found ?? name
}

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCli } from '../../src/cli/program.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { createTestDatabase } from '../support/database.ts'

export type CliResult = { readonly code: number; readonly out: string; readonly err: string }

export type CliFixture = {
  readonly folder: string
  env: Record<string, string>
  /** Runs a command in this process, on the fixture's database. */
  readonly run: (...args: string[]) => Promise<CliResult>
  /** The same with `--json`; fails unless the command succeeds. */
  readonly json: <T>(...args: string[]) => Promise<T>
  readonly store: () => Promise<Store>
  readonly clean: () => Promise<void>
}

/** A folder with the configuration a command needs, and a database. */
export async function cliFixture(): Promise<CliFixture> {
  const folder = mkdtempSync(join(tmpdir(), 'cli-'))
  const database = await createTestDatabase(folder)
  const { databaseUrl } = database
  const env: Record<string, string> = {
    DATABASE_URL: databaseUrl,
    GATEWAY_SECRET: 'a-secret-of-the-tests-0123456789-abcdef',
    PUBLIC_URL: 'http://localhost:8080',
  }
  const now = () => Math.floor(Date.now() / 1000)
  const run = async (...args: string[]): Promise<CliResult> => {
    let [out, err] = ['', '']
    const code = await runCli(args, {
      env: fixture.env,
      now,
      readFile: (path) => readFileSync(path, 'utf8'),
      out: (text) => {
        out += text
      },
      err: (text) => {
        err += text
      },
    })
    return { code, out, err }
  }
  const fixture: CliFixture = {
    folder,
    env,
    run,
    json: async (...args) => {
      const { code, out, err } = await run(...args, '--json')
      if (code !== 0) throw new Error(err)
      return JSON.parse(out)
    },
    store: () => openStore({ databaseUrl, now }),
    clean: async () => {
      await database.drop()
      rmSync(folder, { recursive: true })
    },
  }
  return fixture
}

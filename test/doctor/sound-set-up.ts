import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '../../src/config.ts'
import type { Result } from '../../src/doctor/check.ts'
import { allChecks } from '../../src/doctor/checks.ts'
import { runChecks } from '../../src/doctor/run.ts'
import type { Setup } from '../../src/doctor/setup.ts'
import { sqliteDatabase, type TestDatabase } from '../support/database.ts'
import { type Issuer, startIssuer } from '../support/issuer.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import type { UpstreamHandlers } from '../support/upstream.ts'

/** MLflow as `doctor` asks it. */
export const WELL: UpstreamHandlers = {
  'GET /health': { body: 'OK' },
  'GET /version': { body: '3.17.2' },
  'GET /api/2.0/mlflow/experiments/search': { body: { experiments: [] } },
}

/** What is found on loopback too: sign-ins by plain http. */
const PERMITTED = [
  'warning configuration: warning 1: ALLOW_HTTP_ISSUER is on: whoever sits between the gateway and the provider oidc can sign in as anybody',
]

export type SoundSetUp = {
  readonly gateway: TestGateway
  readonly issuer: Issuer
  readonly database: TestDatabase
  readonly folder: string
  /** Everything that was found with these changes, by the name of the check. */
  readonly diagnose: (changes?: Changes) => Promise<ReadonlyMap<string, Result>>
  /** Warnings and faults that come with these changes, each as `level name: what`. */
  readonly news: (changes?: Changes) => Promise<readonly string[]>
  readonly stop: () => Promise<void>
}

export type Changes = {
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly setup?: Partial<Setup> | undefined
}

/** A gateway in this process with a real OpenID Provider and a SQLite file, in which nothing is at fault. */
export async function startSoundSetUp(env: Readonly<Record<string, string>> = {}): Promise<SoundSetUp> {
  const folder = mkdtempSync(join(tmpdir(), 'doctor-'))
  const database = sqliteDatabase(join(folder, 'gateway.db'))
  const issuer = await startIssuer()
  const gateway = await startTestGateway({
    ...{ database, mlflow: WELL },
    env: {
      OIDC_ISSUER: issuer.url,
      OIDC_CLIENT_ID: issuer.clientId,
      OIDC_CLIENT_SECRET: issuer.clientSecret,
      ALLOW_HTTP_ISSUER: 'true',
      ...env,
    },
  })
  issuer.allow(gateway.url)
  const setupOf = ({ env: changed = {}, setup = {} }: Changes): Setup => {
    const variables = { ...gateway.env, ...changed }
    return {
      config: readConfig(variables),
      env: variables,
      fetch,
      nowMs: Date.now,
      ownAddresses: [],
      uid: 1000,
      ...setup,
    }
  }
  const diagnose = async (changes: Changes = {}) => {
    const found = new Map<string, Result>()
    for await (const result of runChecks(allChecks(setupOf(changes)))) found.set(result.name, result)
    return found
  }
  return {
    ...{ gateway, issuer, database, folder, diagnose },
    news: async (changes) => linesOf(await diagnose(changes)).filter((line) => !PERMITTED.includes(line)),
    async stop() {
      await gateway.stop()
      await issuer.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function linesOf(found: ReadonlyMap<string, Result>): readonly string[] {
  const told = [...found.values()].filter(({ level }) => level === 'warning' || level === 'fault')
  // How much room the disk has is up to the machine.
  return told
    .filter(({ name }) => !name.startsWith('disk: '))
    .map(({ level, name, what }) => `${level} ${name}: ${what}`)
}

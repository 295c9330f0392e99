import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RunningMlflow, startMlflow } from '../support/mlflow.ts'
import type { Account } from './accounts.ts'
import { askOurs, askTheirs, type Effect, markersOf, requestOf } from './asking.ts'
import type { Case } from './cases.ts'
import { type OracleGateway, startOracleGateway } from './ours.ts'
import { type Seed, seedMlflow } from './seed.ts'
import { fillDatabase, type Snapshot, snapshotDatabase, snapshotFolder } from './snapshot.ts'
import { authDatabase, commonEnvironment, START_TIMEOUT_MS, seedBasicAuth, startBasicAuth } from './theirs.ts'

export type Outcome = Case & { readonly theirs: Effect; readonly ours: Effect }

/** MLflow with its `basic-auth` app and the gateway before a bare one: the same things, the same people, the same grants. */
export type Oracle = {
  readonly seed: Seed
  /** Asks both the same; afterwards both are as they were. One at a time. */
  readonly ask: (asked: Case) => Promise<Outcome>
  readonly stop: () => Promise<void>
}

/** @throws {Error} if any part does not start; nothing is left behind. */
export async function startOracle(accounts: readonly Account[]): Promise<Oracle> {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-oracle-'))
  const [ourDir, theirDir] = [join(dir, 'ours'), join(dir, 'theirs')]
  const starting = [
    startMlflow({ dir: ourDir, startTimeoutMs: START_TIMEOUT_MS, env: commonEnvironment(ourDir) }),
    startBasicAuth(theirDir),
  ] as const
  const stoppers: (() => unknown)[] = []
  const stop = async () => {
    for (const stopper of stoppers.splice(0).toReversed()) await stopper()
    const started = await Promise.allSettled(starting)
    await Promise.allSettled(
      started.map((part) => (part.status === 'fulfilled' ? part.value.stop() : undefined)),
    )
    rmSync(dir, { recursive: true, force: true })
  }
  try {
    const [bare, basic] = await Promise.all(starting)
    const seed = await seedMlflow(bare.url, databaseOf(bare))
    const kept = await keepAll({ dir, bare, basic, accounts, seed })
    for (const snapshot of kept.all) stoppers.push(snapshot.close)
    const gateway = await startOracleGateway(dir, bare.url, accounts, seed)
    stoppers.push(gateway.stop)
    return { seed, stop, ask: createAsk({ basic, gateway, seed, kept }) }
  } catch (fault) {
    await stop()
    throw fault
  }
}

function databaseOf({ dir }: RunningMlflow): string {
  return join(dir, 'mlflow.db')
}

type Parts = {
  readonly dir: string
  readonly bare: RunningMlflow
  readonly basic: RunningMlflow
  readonly accounts: readonly Account[]
  readonly seed: Seed
}

/** Fills MLflow's own app with what the bare server holds, so that even the ids are the same, and keeps it all. */
async function keepAll({ dir, bare, basic, accounts, seed }: Parts) {
  const copy = join(dir, 'mlflow.db')
  const ours = await snapshotDatabase(databaseOf(bare), copy)
  const theirs = fillDatabase(databaseOf(basic), copy)
  const files = join(dir, 'artifacts')
  const ourFiles = snapshotFolder(join(bare.dir, 'artifacts'), files)
  const theirFiles = snapshotFolder(join(basic.dir, 'artifacts'), files)
  await seedBasicAuth(basic.url, accounts, seed)
  const auth = await snapshotDatabase(authDatabase(basic.dir), join(dir, 'auth.db'))
  const all: readonly Snapshot[] = [ours, theirs, ourFiles, theirFiles, auth]
  return { all }
}

type Kept = Awaited<ReturnType<typeof keepAll>>

type Servers = {
  readonly basic: RunningMlflow
  readonly gateway: OracleGateway
  readonly seed: Seed
  readonly kept: Kept
}

function createAsk({ basic, gateway, seed, kept }: Servers): Oracle['ask'] {
  const markers = markersOf(seed)
  return async (asked) => {
    const { account, question } = asked
    const asking = { markers, method: question.method, request: requestOf(asked, seed) }
    const [theirs, ours] = await Promise.all([
      askTheirs(basic.url, account, asking),
      askOurs(gateway, account, asking),
    ])
    for (const { restore } of kept.all) restore()
    await gateway.restore(seed)
    return { ...asked, theirs, ours }
  }
}

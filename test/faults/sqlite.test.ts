/**
 * A gateway on SQLite whose disk fills up, and one that is killed in the middle of writing: what it said is done is
 * done, the file is sound, and it goes on, by itself or when it is started again.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { openStore } from '../../src/store/store.ts'
import { type Acknowledged, createWriters, nothingYet } from '../support/acknowledged-writes.ts'
import { sqliteDatabase } from '../support/database.ts'
import { gatewayEnvironment, type RunningGateway, startGateway } from '../support/gateway.ts'
import { freePort } from '../support/mlflow.ts'
import { mlflowStandIn } from '../support/mlflow-stand-in.ts'
import { fullFileSystem, limitedFiles, mayMount, temporaryFolder } from '../support/small-disk.ts'
import { type Member, type MemberName, seedMembers } from '../support/test-members.ts'
import { type RecordingUpstream, startUpstream } from '../support/upstream.ts'

const GET = '/api/2.0/mlflow/experiments/get?experiment_id=1'
const PEOPLE = 6

/** How often it is killed. */
const ROUNDS = 2

let upstream: RecordingUpstream
beforeAll(async () => {
  upstream = await startUpstream(mlflowStandIn({ 'GET /health': { status: 200 } }))
})
afterAll(() => upstream?.stop())

type Place = {
  readonly dir: string
  readonly file: string
  readonly members: Readonly<Record<MemberName, Member>>
  /** Starts a gateway on what is in the folder, on the same port each time. */
  readonly start: () => Promise<RunningGateway>
}

async function createPlace(dir: string): Promise<Place> {
  const port = await freePort()
  const env = {
    ...{ GATEWAY_SECRET: randomBytes(48).toString('base64'), ADMIN_USERS: 'admin' },
    ...{ OIDC_ISSUER: 'https://issuer.invalid', OIDC_CLIENT_ID: 'mlflow', LOG_LEVEL: 'warn' },
    ...{
      AUDIT_STDOUT: 'false',
      AUDIT_STORE_DAYS: '1',
      RATE_LIMIT_PRINCIPAL: '0',
      RATE_LIMIT_ADDRESS: '0',
      RATE_LIMIT_SIGN_IN: '0',
      CONCURRENCY_LIMIT_PRINCIPAL: '0',
    },
  }
  const config = readConfig(gatewayEnvironment(port, dir, { upstreamUrl: upstream.url, env }))
  const now = () => Math.floor(Date.now() / 1000)
  const store = await openStore({ databaseUrl: config.databaseUrl, now })
  const members = await seedMembers({ store, config, now })
  await store.close()
  const start = async () => {
    const gateway = await startGateway({ port, dir, upstreamUrl: upstream.url, env })
    onTestFinished(gateway.stop)
    return gateway
  }
  return { dir, file: join(dir, 'gateway.db'), members, start }
}

async function statusOf(gateway: RunningGateway, headers: Readonly<Record<string, string>>): Promise<number> {
  const answer = await fetch(gateway.url + GET, { headers })
  await answer.arrayBuffer()
  return answer.status
}

/** Everything that was said to be done is so, in the file and for the gateway. */
async function expectNothingLost(
  gateway: RunningGateway,
  file: string,
  acknowledged: Acknowledged,
): Promise<void> {
  const { query } = sqliteDatabase(file)
  expect(await query('pragma integrity_check')).toEqual([{ integrity_check: 'ok' }])
  expect(await query('pragma foreign_key_check')).toEqual([])
  const kept = new Set((await query('select pattern from grants')).map(({ pattern }) => pattern))
  expect(acknowledged.grants.filter((pattern) => !kept.has(pattern))).toEqual([])
  const wrong: unknown[] = []
  for (const [tokens, expected] of [
    [acknowledged.tokens, 200],
    [acknowledged.revoked, 401],
  ] as const) {
    for (const token of tokens) {
      const status = await statusOf(gateway, { authorization: `Bearer ${token}` })
      if (status !== expected) wrong.push({ status, expected })
    }
  }
  expect(wrong).toEqual([])
}

describe('killed in the middle of writing', () => {
  it('it has lost nothing that it said is done, and starts again', async () => {
    const place = await createPlace(temporaryFolder())
    const acknowledged = nothingYet()
    const { tokens, revoked, grants } = acknowledged
    for (let round = 1; round <= ROUNDS; round += 1) {
      const gateway = await place.start()
      const { write } = createWriters({ url: gateway.url, admin: place.members.admin, acknowledged })
      const before = [tokens, revoked, grants].map(({ length }) => length)
      const writing = write(PEOPLE, () => true)
      const grown = () => [tokens, revoked, grants].every(({ length }, kind) => length > (before[kind] ?? 0))
      // Long enough for the record of it to have been begun too.
      await new Promise((resolve) => setTimeout(resolve, 600))
      await expect.poll(grown, { timeout: 20_000, interval: 5 }).toBe(true)
      await kill(gateway)
      await writing
    }
    const gateway = await place.start()
    await expectNothingLost(gateway, place.file, acknowledged)
    expect([...acknowledged.refusals]).toEqual([])
    const { code, stdout } = await gateway.cli('audit', 'verify')
    expect([code, stdout]).toEqual([0, expect.stringContaining('cut off')])
  })
})

async function kill({ child }: RunningGateway): Promise<void> {
  // Else it would be told on the terminal that it ended by itself.
  child.removeAllListeners('exit')
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

const DISKS = [
  ['files may not grow', limitedFiles],
  ...(mayMount() ? ([['file system is full', fullFileSystem]] as const) : []),
] as const

describe.each(DISKS)('whose %s', (_, createDisk) => {
  it('it refuses what it cannot keep, lets in whom it knows, goes on when there is room, and may be killed', async () => {
    const disk = createDisk()
    const place = await createPlace(disk.dir)
    const gateway = await place.start()
    const { write, acknowledged } = createWriters({ url: gateway.url, admin: place.members.admin })
    const { reader, editor, outsider } = place.members
    const known = { authorization: `Bearer ${reader.token}` }
    expect(await statusOf(gateway, known)).toBe(200)
    const deadline = performance.now() + 60_000

    disk.fill(gateway)
    await write(PEOPLE, () => acknowledged.refusals.size === 0 && performance.now() < deadline)
    expect([...acknowledged.refusals]).toEqual(['503 TEMPORARILY_UNAVAILABLE'])
    const [session = ''] = editor.cookie.split('; ')
    // What is smaller still fits for a while.
    const renewal = () => statusOf(gateway, { cookie: session })
    await expect.poll(renewal, { timeout: 20_000, interval: 5 }).toBe(503)
    const full = {
      known: await statusOf(gateway, known),
      new: await statusOf(gateway, { authorization: `Bearer ${editor.token}` }),
      denied: await statusOf(gateway, { authorization: `Bearer ${outsider.token}` }),
      session: await statusOf(gateway, { cookie: reader.cookie }),
      renewal: await renewal(),
      ready: (await fetch(`${gateway.url}/readyz`)).status,
    }
    expect(full).toEqual({ known: 200, new: 200, denied: 403, session: 200, renewal: 503, ready: 200 })

    disk.free(gateway)
    const before = acknowledged.grants.length
    acknowledged.refusals.clear()
    await write(PEOPLE, () => acknowledged.grants.length < before + 12 && performance.now() < deadline)
    expect([...acknowledged.refusals]).toEqual([])
    expect(await renewal()).toBe(200)
    await expectNothingLost(gateway, place.file, acknowledged)

    disk.fill(gateway)
    await write(PEOPLE, () => acknowledged.refusals.size === 0 && performance.now() < deadline)
    const writing = write(PEOPLE, () => true)
    await kill(gateway)
    await writing
    disk.free(undefined)
    const again = await place.start()
    await expectNothingLost(again, place.file, acknowledged)
    expect((await again.cli('audit', 'verify')).code).toBe(0)
  })
})

it.runIf(mayMount())('what is full from the start is said, with what to do', async () => {
  const disk = fullFileSystem()
  disk.fill(undefined)
  await expect(createPlace(disk.dir)).rejects.toThrow('the disk is full. Make room where the file is.')
})

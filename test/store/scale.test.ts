import SQLite from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { probeId } from '../../bench/support/population/probes.ts'
import { populate, type Sizes } from '../../bench/support/population.ts'
import { pagesFor } from '../../bench/support/scale/pages.ts'
import { openForRecords } from '../../src/store/database.ts'
import { openStore } from '../../src/store/store.ts'
import type { Ask } from '../support/spoken-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import { OIDC } from './provider.ts'

/*
 * What holds with 100,000 people, by what does not depend on the machine: how many statements a page takes, and that none
 * of them reads a whole table. The times are measured by `bench/scale.ts`.
 */

const SIZES: Sizes = {
  ...{ people: 2000, roles: 200, grants: 20_000, events: 2000, requests: 300, experiments: 1000 },
}

/** More than any page takes: none takes more for more people, roles or grants. */
const MOST_STATEMENTS = 40

/** Whatever grows with the company. */
const LARGE =
  /^SCAN (?:users|identities|claimed_names|user_groups|roles|grants|role_assignments|audit_events)\b/

/** Read in the order of the index, and no further than the page. */
const IN_PAGES = ['SCAN user_groups USING COVERING INDEX user_groups_group_name_provider_user_id']

let gateway: TestGateway
const statements: string[] = []

beforeAll(async () => {
  gateway = await startTestGateway({
    env: { ADMIN_GROUPS: 'oidc:100-people-0', AUDIT_STORE_DAYS: '60' },
    onStatement: (sql) => statements.push(sql),
    // Looks for changes are not a page's.
    pollMs: 600_000,
    mlflow: { 'GET /api/2.0/mlflow/experiments/search': { body: { experiments: EXPERIMENTS } } },
  })
  const db = await openForRecords({ databaseUrl: gateway.database.databaseUrl })
  await populate(db, { sizes: SIZES, seed: 1, at: Math.floor(Date.now() / 1000) })
  await db.destroy()
}, 120_000)
afterAll(() => gateway.stop())

const EXPERIMENTS = Array.from({ length: 40 }, (_, index) => ({
  ...{ experiment_id: String(index + 1), name: `team-${index}/experiment` },
}))

/** What SQLite would do for a statement. */
function planOf(database: SQLite.Database, sql: string): readonly string[] {
  const values = Array.from({ length: sql.split('?').length - 1 }, () => 'x')
  const rows = database.prepare<string[], { detail: string }>(`explain query plan ${sql}`).all(...values)
  return rows.map(({ detail }) => detail)
}

function scansOf(ran: readonly string[]): readonly string[] {
  const database = new SQLite(gateway.database.databaseUrl.replace('sqlite:', ''), { readonly: true })
  try {
    const selects = [...new Set(ran)].filter((sql) => /^(?:select|with)/.test(sql))
    const steps = selects.flatMap((sql) => planOf(database, sql))
    return steps.filter((step) => LARGE.test(step) && !IN_PAGES.includes(step))
  } finally {
    database.close()
  }
}

const SEEN = pagesFor({
  browser: (probe) => ({ cookie: probe === 'admin' ? 'admin' : 'editor' }),
  script: (probe) => ({ authorization: probe === 'admin' ? 'admin' : 'editor' }),
  others: [],
}).filter(({ path }) => !path.includes('resource_type=experiment&key=1') || path.startsWith('/auth/admin'))

describe('with a large company in the store', () => {
  it.each(SEEN.map((page) => [page.what, page] as const))(
    '%s takes few statements, and none reads a table that grows',
    async (_, { path, as }) => {
      const { cookie, authorization } = as
      const who = (cookie ?? authorization) === 'admin' ? 'admin' : 'editor'
      const headers = cookie === undefined ? [] : [`Cookie: ${gateway.members[who].cookie}`]
      const ask: Ask = { target: path, ...(cookie === undefined ? { as: who } : { headers }) }
      await gateway.ask(ask)
      statements.length = 0
      const { status } = await gateway.ask(ask)
      const ran = statements.filter((sql) => !sql.startsWith('insert into "audit_events"'))
      expect({ status, scans: scansOf(ran) }).toEqual({ status: 200, scans: [] })
      expect(ran.length).toBeLessThan(MOST_STATEMENTS)
    },
  )

  it('the first request of somebody who was not in memory reads no table that grows', async () => {
    const ran: string[] = []
    const store = await openStore({
      ...{ databaseUrl: gateway.database.databaseUrl, now: () => Math.floor(Date.now() / 1000) },
      onStatement: (sql) => ran.push(sql),
    })
    ran.length = 0
    const membership = await store.people.membership(probeId('1000'), [OIDC])
    await store.close()
    expect(membership?.roles.flatMap(({ grants }) => grants)).toHaveLength(1000)
    expect([ran.length, scansOf(ran)]).toEqual([8, []])
  })

  it('it is looked up, not searched for, whether somebody is called so', async () => {
    expect([
      await gateway.store.people.isCalled(' PROBE-Admin '),
      await gateway.store.people.isCalled('nobody'),
    ]).toEqual([true, false])
  })
})

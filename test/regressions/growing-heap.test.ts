/**
 * The attack: many requests, each a little different from the one before, until what is kept of each adds up: tokens,
 * cookies, sign-ins begun, ids and names nobody has, page tokens, forms of one good token. Twenty thousand of them
 * leave the heap where it was, give or take what has a bound, and no row of anybody in the store.
 */
import { createHmac } from 'node:crypto'
import { connect } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Ask, bytesOf } from '../support/spoken-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

const REQUESTS = 20_000
const CONNECTIONS = 8
const BATCH = 50

/**
 * What may have been added, in MiB: verified credentials and look-ups have their bounds (20,000 and 50,000 entries),
 * which a few thousand requests do not reach; everything else should be gone.
 */
const ALLOWED_MIB = 3

let gateway: TestGateway
beforeAll(async () => {
  // The test runner maps every frame of an error that is logged back to its source, which takes most of the time.
  Error.stackTraceLimit = 0
  gateway = await startTestGateway({
    pollMs: 500,
    env: { RATE_LIMIT_PRINCIPAL: '0', RATE_LIMIT_ADDRESS: '0' },
  })
})
afterAll(() => gateway.stop())

const json = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** So that whatever is kept of a request weighs enough to be seen. */
const LONG = 'x'.repeat(2000)
const NAME = 'x'.repeat(240)

/** Looks like a token of ours, signed with a key of nobody. */
function forged(index: number): string {
  const [alg, typ] = index % 2 === 0 ? ['HS256', 'at+jwt'] : ['ES256', 'session+jwt']
  const head = json({ alg, typ, kid: `kid-${index}` })
  const issuer = index % 3 === 0 ? `https://elsewhere-${index}.invalid` : gateway.url
  const claims = json({ iss: issuer, aud: gateway.url, sub: `${LONG}-${index}`, jti: `${index}`, exp: 9e9 })
  const signature = createHmac('sha512', 'nobody').update(`${head}.${claims}`).digest('base64url')
  return `${head}.${claims}.${signature}`
}

const API = '/api/2.0/mlflow'
const SEARCH = `${API}/experiments/search?max_results=1`
const hex = (index: number) => index.toString(16).padStart(32, '0')
const basic = (name: string, password: string) =>
  `Authorization: Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`

type Kind = (index: number) => Ask

const STRANGERS: readonly Kind[] = [
  (index) => ({ target: SEARCH, headers: [`Authorization: Bearer ${forged(index)}`] }),
  (index) => ({ target: SEARCH, headers: [`Authorization: Bearer ${LONG}-${index}`] }),
  (index) => ({ target: SEARCH, headers: [basic(`user-${index}`, `${LONG}-${index}`)] }),
  (index) => ({ target: SEARCH, headers: [`Cookie: gateway_token=${forged(index)}`] }),
  (index) => ({
    target: SEARCH,
    headers: [`Cookie: gateway_session=${`${index}`.padEnd(40, 'x')}.${`${index}`.padEnd(43, 'y')}`],
  }),
  (index) => ({ target: SEARCH, headers: [`Cookie: gateway_login_${index}=x; theme-${index}=y`] }),
  (index) => ({ target: `/nope/${LONG}/${index}` }),
  (index) => ({ target: `/static-files/${LONG}/${index}.js` }),
  (index) => ({ target: SEARCH, headers: [`Host: host-${index}.example`] }),
  (index) => ({ target: `/auth/login?return_to=/%23/experiments/${index}` }),
  (index) => ({ target: `/auth/login?provider=oidc&return_to=/${index}` }),
  (index) => ({ target: `/auth/login?provider=nobody-${index}` }),
  (index) => ({ target: `/auth/callback/oidc?code=${LONG}-${index}&state=${LONG}-${index}` }),
]

const SIGNED_IN: readonly Kind[] = [
  (index) => ({ target: `${API}/runs/get?run_id=${hex(index)}`, as: 'reader' }),
  (index) => ({ target: `${API}/experiments/get?experiment_id=${1000 + index}`, as: 'reader' }),
  (index) => ({
    target: `${API}/experiments/get-by-name?experiment_name=alpha/${NAME}${index}`,
    as: 'reader',
  }),
  (index) => ({ target: `${API}/registered-models/get?name=alpha-${NAME}${index}`, as: 'reader' }),
  (index) => ({ target: `${API}/logged-models/m-${hex(index)}`, as: 'reader' }),
  (index) => ({ target: `${SEARCH}&page_token=${Buffer.from(`${index}`).toString('base64')}`, as: 'reader' }),
  (index) => ({ target: SEARCH, headers: [basic(`name-${index}`, gateway.members.outsider.token)] }),
]

/** One kind after the other, each request unlike any other of its kind; one in eight is of somebody signed in. */
function askOf(index: number): Ask {
  const kinds = index % 8 === 7 ? SIGNED_IN : STRANGERS
  const kind = kinds[Math.floor(index / 8) % kinds.length]
  if (kind === undefined) throw new Error('no such kind')
  return kind(index)
}

/** What the test itself keeps of each request. */
function forgetRequests(): void {
  gateway.events.length = 0
  gateway.log.length = 0
  gateway.upstream.forget()
}

/** Sends requests of every kind, several at a time over each connection, and counts the answers by status. */
async function sendAll(from: number, count: number): Promise<Map<number, number>> {
  const statuses = new Map<number, number>()
  const sendBatch = (start: number) =>
    new Promise<void>((resolve, reject) => {
      const socket = connect(gateway.port, '127.0.0.1')
      let answers = 0
      let rest = ''
      socket.on('error', reject)
      socket.on('data', (chunk) => {
        const text = rest + chunk.toString('latin1')
        for (const [, status] of text.matchAll(/HTTP\/1\.1 (\d{3}) /g)) {
          statuses.set(Number(status), (statuses.get(Number(status)) ?? 0) + 1)
          answers += 1
        }
        // One character less than what is looked for, which may have come in two pieces.
        rest = text.slice(-12)
        if (answers < BATCH) return
        socket.destroy()
        resolve()
      })
      const asks = Array.from({ length: BATCH }, (_, offset) =>
        bytesOf(askOf(start + offset), gateway.port, gateway.members),
      )
      socket.write(Buffer.concat(asks))
    })
  let next = from
  const lane = async () => {
    while (next < from + count) {
      const start = next
      next += BATCH
      await sendBatch(start)
      forgetRequests()
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, lane))
  return statuses
}

const collect = (() => {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
})()

async function heapMib(): Promise<number> {
  // The record is written behind the requests.
  await new Promise((resolve) => setTimeout(resolve, 500))
  forgetRequests()
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / 2 ** 20
}

async function rowCounts(): Promise<Record<string, number>> {
  const tables = ['users', 'identities', 'sessions', 'access_tokens', 'changes', 'grants', 'user_groups']
  const count = async (table: string) => (await gateway.database.query(`select 1 from ${table}`)).length
  return Object.fromEntries(
    await Promise.all(tables.map(async (table) => [table, await count(table)] as const)),
  )
}

it(`${REQUESTS} requests, no two the same, leave the heap and the store as they were`, {
  timeout: 60_000,
}, async () => {
  await sendAll(0, 2000)
  const [before, rows] = [await heapMib(), await rowCounts()]
  const statuses = await sendAll(2000, REQUESTS)
  const grown = (await heapMib()) - before
  expect([...statuses.values()].reduce((sum, count) => sum + count)).toBe(REQUESTS)
  expect([...statuses.keys()].sort()).toEqual([200, 400, 401, 403, 404, 421, 503])
  expect(grown).toBeLessThan(ALLOWED_MIB)
  expect(await rowCounts()).toEqual(rows)
})

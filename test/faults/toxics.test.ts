/**
 * Every part the gateway depends on, in every kind of trouble, with Toxiproxy in between: what goes on, what is refused
 * and how, that nobody waits for ever, and that the gateway recovers by itself. One process lives through all of it.
 * docs/outages.md says the same in words.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type FaultyDeployment,
  PARTS,
  type Part,
  startFaultyDeployment,
} from '../support/faulty-deployment.ts'
import { createProbes, GET, type Probed, type ProbeName, type Probes } from '../support/faulty-probes.ts'
import { RUN_A } from '../support/mlflow-stand-in.ts'
import { FAULTS, type Fault } from '../support/toxiproxy.ts'

/** Seconds that what is in memory counts. */
const GRACE = 3

let deployment: FaultyDeployment
let probes: Probes
beforeAll(async () => {
  deployment = await startFaultyDeployment({
    ...{ DATABASE_CONNECT_TIMEOUT: '1', DATABASE_STATEMENT_TIMEOUT: '3', STORE_OUTAGE_GRACE: String(GRACE) },
    ...{ UPSTREAM_TIMEOUT: '2', RATE_LIMIT_SIGN_IN: '6000' },
  })
  probes = await createProbes(deployment)
})
afterAll(() => deployment?.stop())

type Lines = Readonly<Partial<Record<ProbeName, string>>>

const TROUBLE = '503 TEMPORARILY_UNAVAILABLE'

const HEALTHY: Readonly<Record<ProbeName, string>> = {
  'known token': '200',
  'known session': '200',
  'new token': '200',
  "provider's token": '200',
  renewal: '200',
  'begin of a sign-in': '302',
  'end of a sign-in': '302',
  change: '201',
  nobody: '401 UNAUTHENTICATED',
  'forged token': '401 UNAUTHENTICATED',
  life: '200',
  readiness: '200',
}

const unasked = (line: string): Lines => ({
  ...{
    'known token': line,
    'known session': line,
    'new token': line,
    "provider's token": line,
    renewal: line,
  },
})

type Outage = { readonly atOnce: Lines; readonly later?: Lines }

/**
 * What differs, from the first moment and once it has lasted longer than the grace; the second is left out where nothing
 * can change. Readiness is looked at the second time.
 */
const OUTAGES: Readonly<Record<Part, Outage>> = {
  provider: { atOnce: { 'end of a sign-in': '503' } },
  postgres: {
    atOnce: {
      ...{ 'new token': TROUBLE, "provider's token": TROUBLE, renewal: TROUBLE },
      ...{ 'end of a sign-in': '503', change: TROUBLE },
    },
    later: {
      ...{ ...unasked(TROUBLE), 'end of a sign-in': '503', change: TROUBLE },
      readiness: '503 store changes',
    },
  },
  redis: {
    atOnce: { renewal: TROUBLE, 'end of a sign-in': '503' },
    later: { renewal: TROUBLE, 'end of a sign-in': '503', readiness: '200 redis' },
  },
  upstream: {
    atOnce: unasked('502 TEMPORARILY_UNAVAILABLE'),
    later: { ...unasked('502 TEMPORARILY_UNAVAILABLE'), readiness: '503 upstream' },
  },
}

/** Where the kind of trouble shows. */
const EXCEPT: Readonly<Record<string, Lines>> = {
  'upstream half-open': unasked('504 TEMPORARILY_UNAVAILABLE'),
}

/** Seconds until the second look: longer than the grace, or than an answer of the readiness is kept. */
const PAUSES: Readonly<Record<Part, number>> = {
  provider: 0,
  postgres: GRACE + 1.5,
  redis: 1.2,
  upstream: 1.2,
}

/** Seconds that any answer may take: limits of the configuration above one after the other, and a slow machine. */
const LONGEST: Readonly<Record<Part, number>> = { provider: 13, postgres: 8, redis: 6, upstream: 6 }

const PATIENT = { timeout: 15_000, interval: 100 }

const lines = (seen: Readonly<Record<ProbeName, Probed>>): Record<string, string> =>
  Object.fromEntries(Object.entries(seen).map(([name, { line }]) => [name, line]))

const pause = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000))

/** Nobody waited too long, and nobody who was refused was told where anything is or what it is made of. */
function expectBearable(part: Part, seen: Readonly<Record<ProbeName, Probed>>): void {
  const { ways, issuer, upstream, redis } = deployment
  const ports = [...Object.values(ways), issuer, upstream, redis].map(({ port }) => port).join('|')
  for (const [name, { line, ms, text }] of Object.entries(seen)) {
    expect([name, ms < LONGEST[part] * 1000 ? 'in time' : ms]).toEqual([name, 'in time'])
    if (/^[45]/.test(line)) {
      expect(text).not.toMatch(new RegExp(`:(?:${ports})\\b|ECONN|UND_ERR|ioredis|sqlstate|at file:`, 'i'))
    }
  }
}

async function recovers(): Promise<void> {
  await expect.poll(async () => (await probes.ask('/readyz')).line, PATIENT).toBe('200')
  const look = await probes.prepare()
  expect(lines(await look())).toEqual(HEALTHY)
}

describe.each(PARTS)('%s', (part) => {
  it.each(FAULTS)('%s', async (fault: Fault) => {
    const looks = [await probes.prepare(), await probes.prepare()] as const
    const way = deployment.ways[part]
    const special = EXCEPT[`${part} ${fault}`]
    const { atOnce, later }: Outage = fault === 'slow' ? { atOnce: {}, later: {} } : OUTAGES[part]
    await way.inflict(fault)
    try {
      const [first] = await Promise.all([looks[0](), pause(PAUSES[part])])
      expectBearable(part, first)
      const { readiness: _unclear, ...firstLines } = lines(first)
      const { readiness: _unasked, ...expected } = { ...HEALTHY, ...atOnce, ...special }
      expect(firstLines).toEqual(expected)
      if (later === undefined) return
      const second = await looks[1]()
      expectBearable(part, second)
      expect(lines(second)).toEqual({ ...HEALTHY, ...later, ...special })
    } finally {
      await way.heal()
      await recovers()
    }
  })
})

describe('while PostgreSQL is away', () => {
  it.each(['down', 'half-open'] as const)(
    '(%s) a token that is revoked counts no longer than the grace',
    async (fault) => {
      const { createToken, store, ways } = deployment
      const owner = (await store.people.list()).find(({ username }) => username === 'reader')?.id ?? ''
      const { token, jti } = await createToken(owner)
      const use = async () => (await probes.ask(GET, { headers: { authorization: `Bearer ${token}` } })).line
      expect(await use()).toBe('200')
      await ways.postgres.inflict(fault)
      const seen = new Set<string>()
      try {
        await store.tokens.revoke(jti)
        await pause(GRACE + 1.5)
        for (let n = 0; n < 3; n += 1) seen.add(await use())
      } finally {
        await ways.postgres.heal()
      }
      await expect
        .poll(async () => {
          const line = await use()
          seen.add(line)
          return line
        }, PATIENT)
        .toBe('401 UNAUTHENTICATED')
      seen.delete('401 UNAUTHENTICATED')
      expect([...seen]).toEqual([TROUBLE])
      await recovers()
    },
  )
})

it('what was written although its answer was lost is written once, and told as uncertain', async () => {
  const { ways, upstream, gateway, signIn } = deployment
  const cookie = (await signIn('editor')).cookieHeader(gateway.url)
  const logMetric = async (key: string) => {
    const { line } = await probes.ask('/api/2.0/mlflow/runs/log-metric', {
      method: 'POST',
      headers: { cookie, origin: gateway.url, 'content-type': 'application/json' },
      body: JSON.stringify({ run_id: RUN_A, key, value: 1, timestamp: 1 }),
    })
    return line
  }
  expect(await logMetric('before')).toBe('200')
  upstream.forget()
  await ways.upstream.inflict('cut off')
  try {
    expect(await logMetric('once')).toBe('502 TEMPORARILY_UNAVAILABLE')
  } finally {
    await ways.upstream.heal()
  }
  expect(upstream.requests.filter(({ url }) => url.endsWith('/runs/log-metric'))).toHaveLength(1)
  await recovers()
})

it('a provider that answers late holds up nobody for long, and what it says counts all the same', async () => {
  const { ways, issuer, store, signIn } = deployment
  const groups = async () => {
    const membership = await store.people.membership(probes.readerId, [{ id: 'oidc' }])
    return membership?.groups.map(({ name }) => name)
  }
  const look = await probes.prepare()
  issuer.setGroups('reader', ['others'])
  await ways.provider.inflict('slow', 6000)
  try {
    const { renewal } = await look()
    expect([renewal.line, renewal.ms < 5500 ? 'in time' : renewal.ms]).toEqual(['200', 'in time'])
    await expect.poll(groups, PATIENT).toEqual(['others'])
  } finally {
    issuer.setGroups('reader', ['alpha-readers'])
    await ways.provider.heal()
  }
  await signIn('reader')
  await recovers()
})

it('all of that was one process, which told nobody its secrets', () => {
  const { gateway } = deployment
  expect([gateway.child.exitCode, gateway.child.signalCode]).toEqual([null, null])
  const log = gateway.output()
  const secrets = [
    'redis-of-a-test',
    gateway.env['GATEWAY_SECRET'],
    gateway.env['OIDC_CLIENT_SECRET'],
    probes.known.token,
  ]
  expect(secrets.filter((secret) => log.includes(String(secret)))).toEqual([])
  expect(log).not.toMatch(/unhandled/i)
})

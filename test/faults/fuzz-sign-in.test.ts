import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type AuthorizationPlan,
  type CallbackPlan,
  type Plan,
  type PresentedPlan,
  plan,
} from '../support/sign-in-fuzz/plan.ts'
import { type Tally, verdictOf } from '../support/sign-in-fuzz/verdict.ts'
import { startWorld, type World } from '../support/sign-in-fuzz/world.ts'

/**
 * Sign-ins, callbacks, cookies and tokens that are almost right, by the thousand, against the gateway and a real
 * provider: nobody gets in or is taken for somebody else, nothing leads elsewhere, no secret comes out again, nothing
 * fails inside. `npm run fuzz:sign-in` is the long form, of `FUZZ_MINUTES`.
 */
const MINUTES = Number(process.env['FUZZ_MINUTES'] ?? process.env['FAULTS_MINUTES'] ?? 0.2)
/** A failure names its own; another number gives other requests. */
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31)

const unhandled: unknown[] = []
const note = (fault: unknown) => unhandled.push(fault)

let world: World
beforeAll(async () => {
  // The test runner maps every frame of an error that is logged back to its source, which takes most of the time.
  Error.stackTraceLimit = 0
  process.on('unhandledRejection', note)
  world = await startWorld()
})
afterAll(async () => {
  await world?.stop()
  process.off('unhandledRejection', note)
})

const newTally = (): Tally => ({ cases: 0, outcomes: new Map() })

test(`for ${MINUTES} minutes nobody gets in who should not (FUZZ_SEED=${SEED})`, {
  timeout: MINUTES * 60_000 + 60_000,
}, async () => {
  const tally = newTally()
  const started = performance.now()
  let last: ReturnType<typeof verdictOf> = Promise.resolve(undefined)
  const property = fc.asyncProperty(plan, async (given: Plan) => {
    last = verdictOf(given, world, tally)
    const wrong = await last
    if (tally.cases % 10_000 === 0) progress(tally, started)
    if (wrong !== undefined) throw new Error(wrong)
    if (unhandled.length > 0) throw new Error(`not handled: ${String(unhandled.splice(0))}`)
  })
  await fc.assert(property, {
    numRuns: 2 ** 31 - 1,
    seed: SEED,
    interruptAfterTimeLimit: MINUTES * 60_000,
  })
  // When the time is up nobody waits for the one under way, and its events would be taken for those of the next test.
  expect(await last).toBeUndefined()
  progress(tally, started)
  // Requests that are all refused would prove nothing.
  expect(tally.cases).toBeGreaterThan(200)
  for (const outcome of ['200', '302', '400', '401', '403', 'decision allow ', 'sign_in allow ']) {
    expect([outcome, tally.outcomes.get(outcome) ?? 0]).not.toEqual([outcome, 0])
  }
})

test('what is in order is let in, as who it is', async () => {
  for (const [index, { name, owner }] of world.tokens.entries()) {
    const tally = newTally()
    const shown = { ...plainPlan, authorizations: [bearer(index)] }
    expect([name, await verdictOf(shown, world, tally)]).toEqual([name, undefined])
    expect([name, [...tally.outcomes.keys()][0]]).toEqual([name, owner === undefined ? '401' : '200'])
  }
  for (const [guest] of world.guests.entries()) {
    const tally = newTally()
    const cookies = [{ from: { guest, cookie: 'gateway_token' as const }, name: 'own' as const, changes: [] }]
    expect(await verdictOf({ ...plainPlan, cookies }, world, tally)).toBeUndefined()
    expect(await verdictOf({ ...plainCallback, guest }, world, tally)).toBeUndefined()
    expect([...tally.outcomes.keys()]).toEqual(['200', '302', 'sign_in allow '])
  }
})

const bearer = (pick: number): AuthorizationPlan => ({
  ...{ header: 'Authorization', scheme: 'Bearer', space: ' ', basic: undefined, after: '' },
  token: { pick, changes: [] },
})

const plainPlan: PresentedPlan = {
  ...{ kind: 'presented', method: 'GET', target: '/auth/api/v1/me', more: [], body: '' },
  ...{ authorizations: [], cookies: [], separator: '; ', cookieHeaders: 1 },
}

const plainCallback: CallbackPlan = {
  ...{ kind: 'callback', guest: 0, other: 0, path: '/auth/callback/oidc', changes: [], twice: false },
  ...{ cookie: 'own', cookieChanges: [], session: undefined },
}

function progress({ cases, outcomes }: Tally, started: number): void {
  const seconds = Math.round((performance.now() - started) / 1000)
  const counts = [...outcomes].toSorted().map(([outcome, times]) => `${outcome.trim()}: ${times}`)
  process.stdout.write(`${cases} cases in ${seconds} s; ${counts.join(', ')}\n`)
}

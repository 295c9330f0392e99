import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Plan, plan } from '../support/parser/requests.ts'
import { SHAPES } from '../support/parser/shapes.ts'
import { type Tally, verdictOf } from '../support/parser/verdict.ts'
import { startWorld, type World } from '../support/parser/world.ts'

/**
 * Random requests through the gateway to a real MLflow, and what became of them: whatever MLflow acted on (rows and
 * files that changed, things whose content is in the answer) must be what was judged. `npm run test:parser` is the long
 * form.
 */
const CASES = Number(process.env['PARSER_CASES'] ?? 1500)
/** A failure names its own; another number gives other requests. */
const SEED = Number(process.env['PARSER_SEED'] ?? Date.now() % 2 ** 31)

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world?.stop())

test(`what MLflow acts on is what was judged, in ${CASES} requests`, { timeout: CASES * 200 }, async () => {
  const tally: Tally = { cases: 0, forwarded: 0, acted: new Map() }
  const started = Date.now()
  const property = fc.asyncProperty(plan, async (given: Plan) => {
    const verdict = await verdictOf(given, world, tally)
    if (tally.cases % 1000 === 0) progress(tally, started)
    if (verdict !== undefined) throw new Error(verdict)
  })
  await fc.assert(property, { numRuns: CASES, seed: SEED })
  progress(tally, started)
  // Requests that are all refused would prove nothing.
  expect(tally.forwarded / tally.cases).toBeGreaterThan(0.25)
  const silent = SHAPES.map(({ operation }) => operation).filter((operation) => !tally.acted.has(operation))
  if (CASES >= 10_000) expect(silent).toEqual([])
})

test('MLflow acts on what the requests are about, and is seen to, when nothing is odd about them', async () => {
  const tally: Tally = { cases: 0, forwarded: 0, acted: new Map() }
  for (const shape of SHAPES) {
    const given = { ...plainPlan, shape }
    expect([shape.operation, await verdictOf(given, world, tally)]).toEqual([shape.operation, undefined])
  }
  const silent = SHAPES.map(({ operation }) => operation).filter((operation) => !tally.acted.has(operation))
  expect(silent).toEqual([])
})

const plainPlan: Omit<Plan, 'shape'> = {
  ...{
    as: 'outsider',
    tenant: 'beta',
    ajax: false,
    swaps: [],
    twists: [],
    method: undefined,
    pathTwist: 'plain',
  },
  ...{
    escaping: 'plain',
    aside: undefined,
    headers: [],
    headerTwist: 'plain',
    wrapping: 'plain',
    spanTwists: undefined,
  },
  framing: { type: 'plain', chunked: false, coding: undefined, codingOnly: false },
}

function progress({ cases, forwarded, acted }: Tally, started: number): void {
  const seconds = (Date.now() - started) / 1000
  const count = [...acted.values()].reduce((sum, each) => sum + each, 0)
  process.stderr.write(
    `seed ${SEED}: ${cases} of ${CASES}, ${forwarded} forwarded, ${count} acted on something of ${acted.size} operations, ${seconds.toFixed(0)} s\n`,
  )
}

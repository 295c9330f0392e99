/**
 * What the gateway costs, beside a plain proxy, beside another gateway and in front of a real MLflow: all in one run on one
 * machine, in turn. What counts is CPU time as the operating system books it: wall clock on a shared machine measures the
 * neighbours too.
 *
 *   npm run bench                                                       a quarter of an hour
 *   npm run bench -- --only gateway,bare --scenario warm-get            some of it; `--list` names all
 *   npm run bench -- --scenario artifact                                4 GiB each way (else 1; BENCH_GIB)
 *   BENCH_ROUNDS=9 BENCH_SECONDS=10 npm run bench -- --write            renews docs/performance.md and its chart
 *   BENCH_NODE_OPTIONS=--max-semi-space-size=1 npm run bench            what another setting does to the gateway
 *
 * What is missing and can be had (oauth2-proxy with Go, mlflow-oidc-auth with Python 3.12, or BENCH_PYTHON) is installed in
 * `.bench/` the first time; what cannot is left out and said. Medians over the rounds are printed.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { machine, otherWork, renewDocument } from './support/document.ts'
import { chooseLoadTool } from './support/load.ts'
import { measureScenario, type Outcome } from './support/measuring.ts'
import { SCENARIOS } from './support/scenarios.ts'
import { createStage, SUBJECTS, type SubjectName } from './support/stage.ts'
import { inColumns, tableOf } from './support/table.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    scenario: { type: 'string' },
    write: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
})
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3)
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 1)
const GIB = Number(process.env['BENCH_GIB'] ?? (values.scenario?.includes('artifact') ? 4 : 1))
const NODE_OPTIONS = (process.env['BENCH_NODE_OPTIONS'] ?? '').split(' ').filter((option) => option !== '')

/** @throws {Error} if a name is none of `known`: a run of nothing would look like one that went well. */
function chosen(given: string | undefined, known: readonly string[]): readonly string[] | undefined {
  const names = given?.split(',').map((name) => name.trim())
  const strange = names?.find((name) => !known.some((one) => one === name || one.startsWith(`${name}-`)))
  if (strange !== undefined) throw new Error(`${strange} is none of: ${known.join(', ')}`)
  return names
}

const only = chosen(values.only, Object.keys(SUBJECTS))
const named = chosen(
  values.scenario,
  SCENARIOS.map(({ name }) => name),
)
// `artifact` is both of its directions.
const scenarios = SCENARIOS.filter(
  ({ name }) => named?.some((one) => name === one || name.startsWith(`${one}-`)) ?? true,
)
const subjectsOf = (names: readonly SubjectName[]) => names.filter((name) => only?.includes(name) ?? true)

async function run(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-bench-'))
  const stage = createStage(dir, NODE_OPTIONS)
  // Whoever ends the measuring ends what was started for it too.
  const abandon = () => void stage.stop().finally(() => process.exit(1))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, abandon)
  const tool = chooseLoadTool()
  const size = `artifacts of ${GIB} GiB`
  const circumstances = `${machine()}; ${otherWork()} before; ${ROUNDS} rounds of ${SECONDS} s, ${tool}, ${size}.`
  console.log(circumstances)
  const outcomes: Outcome[] = []
  try {
    for (const scenario of scenarios) {
      const names = subjectsOf(scenario.subjects)
      if (names.length === 0) continue
      const terms = { tool, seconds: SECONDS, bytes: GIB * 2 ** 30 }
      const outcome = await measureScenario(scenario, names, { stage, terms, rounds: ROUNDS })
      outcomes.push(outcome)
      console.log(`\n${scenario.name}: ${scenario.title}\n${inColumns(tableOf(outcome))}`)
    }
  } finally {
    await stage.stop()
    rmSync(dir, { recursive: true, force: true })
  }
  console.log(`\n${otherWork()} after`)
  if (values.write) renewDocument(outcomes, circumstances)
}

if (values.list) {
  for (const { name, subjects } of SCENARIOS) console.log(`${name}: ${subjects.join(', ')}`)
} else {
  await run()
}

/**
 * Every check there is, then one line alone: `N passed, M failed`. Types and lint count as one check each.
 * Exits with 1 if anything failed, also if a suite could not run at all.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'

type Count = { passed: number; failed: number; skipped: number }

/** The part of vitest's JSON report that is read here. */
type Report = {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly assertionResults: readonly { readonly status: string }[]
  }[]
}

const REPORT = 'test-results/vitest.json'

function run(command: string, ...args: readonly string[]): boolean {
  process.stdout.write(`\n> ${[command, ...args].join(' ')}\n`)
  return spawnSync(`node_modules/.bin/${command}`, args, { stdio: 'inherit' }).status === 0
}

function check(succeeded: boolean): Count {
  return { passed: Number(succeeded), failed: Number(!succeeded), skipped: 0 }
}

function runTests(): Count {
  mkdirSync('test-results', { recursive: true })
  rmSync(REPORT, { force: true })
  const succeeded = run(
    'vitest',
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${REPORT}`,
  )
  const count = readReport()
  // What failed outside any test (an unhandled rejection, a report that was never written) counts too.
  if (!succeeded && count.failed === 0) count.failed = 1
  return count
}

function readReport(): Count {
  let report: Report
  try {
    report = JSON.parse(readFileSync(REPORT, 'utf8')) as Report
  } catch {
    return { passed: 0, failed: 1, skipped: 0 }
  }
  const broken = report.testResults.filter(({ status, assertionResults }) => {
    return status === 'failed' && !assertionResults.some((assertion) => assertion.status === 'failed')
  })
  for (const { name } of broken) process.stdout.write(`did not run: ${name}\n`)
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken.length,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}

const counts = [
  check(run('tsc', '--noEmit')),
  check(run('biome', 'check', '--error-on-warnings', '.')),
  runTests(),
]
const total = counts.reduce((sum, count) => ({
  passed: sum.passed + count.passed,
  failed: sum.failed + count.failed,
  skipped: sum.skipped + count.skipped,
}))
const skipped = total.skipped === 0 ? '' : `, ${total.skipped} skipped`
process.stdout.write(`\n${total.passed} passed, ${total.failed} failed${skipped}\n`)
process.exitCode = total.failed === 0 ? 0 : 1

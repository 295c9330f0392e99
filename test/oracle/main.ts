/**
 * The oracle test in full: `npm run test:oracle`, ten minutes on two idle cores; with `--reduced`, what `make test` asks.
 * `--write` renews `docs/parity.md`.
 */
import { writeFileSync } from 'node:fs'
import { renderParity } from './document.ts'
import { reducedForm, wholeForm } from './forms.ts'
import { countsOf, judgeForm, unused } from './verdict.ts'

const say = (line: string) => void process.stdout.write(`${line}\n`)

const isReduced = process.argv.includes('--reduced')
const verdict = await judgeForm(isReduced ? reducedForm() : wholeForm(), say)
const faults = isReduced ? verdict.faults : [...verdict.faults, ...unused(verdict)]
say('')
for (const line of [...faults, ...countsOf(verdict)]) say(line)
if (process.argv.includes('--write')) {
  const form = isReduced ? 'the reduced form' : 'the whole'
  writeFileSync(new URL('../../docs/parity.md', import.meta.url), renderParity(verdict, form))
}
process.exitCode = faults.length === 0 ? 0 : 1

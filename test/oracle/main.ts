/**
 * The oracle test in full: `npm run test:oracle`, some 40 minutes on two cores; with `--levels` every operation at every
 * level, about one's own things and about another's; with `--reduced`, what `make test` asks. `--write` renews `docs/parity.md`.
 */
import { writeFileSync } from 'node:fs'
import { renderParity } from './document.ts'
import { levelForm, reducedForm, wholeForm } from './forms.ts'
import { countsOf, judgeForm, unused } from './verdict.ts'

const say = (line: string) => void process.stdout.write(`${line}\n`)

const isReduced = process.argv.includes('--reduced')
const isPart = isReduced || process.argv.includes('--levels')
const verdict = await judgeForm(isReduced ? reducedForm() : isPart ? levelForm() : wholeForm(), say)
const faults = isPart ? verdict.faults : [...verdict.faults, ...unused(verdict)]
say('')
for (const line of [...faults, ...countsOf(verdict)]) say(line)
if (process.argv.includes('--write')) {
  const form = isReduced ? 'the reduced form' : isPart ? 'every level' : 'the whole'
  writeFileSync(new URL('../../docs/parity.md', import.meta.url), renderParity(verdict, form))
}
process.exitCode = faults.length === 0 ? 0 : 1

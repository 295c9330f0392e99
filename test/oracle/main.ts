/** The oracle test in full: `npm run test:oracle`. With `--write` it renews `docs/parity.md`. */
import { writeFileSync } from 'node:fs'
import { renderParity } from './document.ts'
import { wholeForm } from './forms.ts'
import { countsOf, judgeForm, unused } from './verdict.ts'

const say = (line: string) => void process.stdout.write(`${line}\n`)

const verdict = await judgeForm(wholeForm(), say)
const faults = [...verdict.faults, ...unused(verdict)]
say('')
for (const line of [...faults, ...countsOf(verdict)]) say(line)
if (process.argv.includes('--write')) {
  writeFileSync(new URL('../../docs/parity.md', import.meta.url), renderParity(verdict))
}
process.exitCode = faults.length === 0 ? 0 : 1

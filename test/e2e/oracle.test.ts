import { describe, expect, it } from 'vitest'
import { reducedForm } from '../oracle/forms.ts'
import { countsOf, judgeForm } from '../oracle/verdict.ts'

describe("MLflow's own auth app and the gateway, asked the same", () => {
  it('do the same, or the gateway is the stricter one for a reason', { timeout: 900_000 }, async () => {
    const verdict = await judgeForm(reducedForm(), () => undefined)
    process.stdout.write(`${countsOf(verdict).join('\n')}\n`)
    expect(verdict.faults).toEqual([])
  })
})

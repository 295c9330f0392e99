import type { Figures, Scenario, Terms } from './scenarios.ts'
import { type Stage, SUBJECTS, type SubjectName } from './stage.ts'
import { NotHere, type Subject } from './subjects.ts'

/** Medians over the rounds, of each subject that could be measured. */
export type Outcome = {
  readonly scenario: Scenario
  readonly medians: ReadonlyMap<SubjectName, Figures>
}

/**
 * Measures those in turn, round by round, so that whatever else the machine does meets all of them.
 *
 * @returns Without those that cannot be had here; why goes to the standard error.
 */
export async function measureScenario(
  scenario: Scenario,
  names: readonly SubjectName[],
  { stage, terms, rounds }: { readonly stage: Stage; readonly terms: Terms; readonly rounds: number },
): Promise<Outcome> {
  const subjects = await startAll(scenario, names, stage)
  const samples = new Map<SubjectName, Figures[]>(subjects.map(([name]) => [name, []]))
  // Not measured: compilers settle, connections open, caches fill.
  const small = { ...terms, seconds: 4, bytes: Math.min(terms.bytes, 2 ** 27) }
  for (const [, subject] of subjects) await scenario.measure(subject, small)
  for (let round = 0; round < rounds; round++) {
    // Whoever goes first finds a cooler machine, so the order turns.
    const order = [...subjects.slice(round % subjects.length), ...subjects.slice(0, round % subjects.length)]
    for (const [name, subject] of order) samples.get(name)?.push(await scenario.measure(subject, terms))
  }
  return { scenario, medians: new Map([...samples].map(([name, taken]) => [name, medianOf(taken)])) }
}

async function startAll(scenario: Scenario, names: readonly SubjectName[], stage: Stage) {
  const subjects: (readonly [SubjectName, Subject])[] = []
  for (const name of names) {
    try {
      subjects.push([name, await stage.subject(name, scenario.behind)])
    } catch (fault) {
      if (!(fault instanceof NotHere)) throw fault
      console.error(`not measured here: ${SUBJECTS[name]}: ${fault.message}`)
    }
  }
  return subjects
}

function medianOf(samples: readonly Figures[]): Figures {
  return Object.fromEntries(
    Object.keys(samples[0] ?? {}).map((column) => {
      const sorted = samples.map((sample) => sample[column] ?? Number.NaN).sort((a, b) => a - b)
      return [column, sorted[Math.floor(sorted.length / 2)] ?? Number.NaN]
    }),
  )
}

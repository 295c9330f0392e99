import type { Case } from './cases.ts'
import { createComparison, type Difference, type Kind, OUT_OF_REACH } from './comparison.ts'
import type { Form, Part } from './forms.ts'
import { startOracle } from './oracle.ts'
import { REASONS, type Reason, reasonFor } from './reasons.ts'

export type Tally = {
  readonly title: string
  readonly asked: number
  readonly same: number
  readonly stricter: number
  readonly lenient: number
  readonly outOfReach: number
}

export type Verdict = {
  readonly tallies: readonly Tally[]
  /** How often each reason applied. */
  readonly applied: ReadonlyMap<Reason, number>
  /** How often MLflow's own rule was out of its reach, by operation. */
  readonly outOfReach: ReadonlyMap<string, number>
  /** One line for whatever must not be. */
  readonly faults: readonly string[]
}

/**
 * Asks everything of a form on both sides and judges the differences: each has to be a stricter gateway, with a reason.
 *
 * @param onProgress Called once an account has asked everything.
 */
export async function judgeForm(form: Form, onProgress: (line: string) => void): Promise<Verdict> {
  const oracle = await startOracle(form.accounts)
  try {
    const compare = createComparison()
    const applied = new Map<Reason, number>(REASONS.map((reason) => [reason, 0]))
    const outOfReach = new Map(Object.keys(OUT_OF_REACH).map((operation) => [operation, 0]))
    const tallies: Tally[] = []
    const faults: string[] = []
    for (const part of form.parts) {
      const differences = await ask(part, async (each) => compare(await oracle.ask(each)), onProgress)
      for (const difference of differences) {
        const { kind, operation } = difference
        const reason = reasonFor(difference)
        if (kind === 'out_of_reach') outOfReach.set(operation, (outOfReach.get(operation) ?? 0) + 1)
        else if (reason === undefined) faults.push(inOneLine(difference))
        else applied.set(reason, (applied.get(reason) ?? 0) + 1)
      }
      tallies.push(tallyOf(part, differences))
    }
    return { tallies, applied, outOfReach, faults }
  } finally {
    await oracle.stop()
  }
}

async function ask(
  { title, cases }: Part,
  compare: (asked: Case) => Promise<Difference | undefined>,
  onProgress: (line: string) => void,
): Promise<readonly Difference[]> {
  const differences: Difference[] = []
  for (const [index, asked] of cases.entries()) {
    const difference = await compare(asked)
    if (difference !== undefined) differences.push(difference)
    if (cases[index + 1]?.account !== asked.account) {
      onProgress(
        `${title}: ${index + 1} of ${cases.length}, ${differences.length} differ (${asked.account.says})`,
      )
    }
  }
  return differences
}

function tallyOf({ title, cases }: Part, differences: readonly Difference[]): Tally {
  const count = (of: Kind) => differences.filter(({ kind }) => kind === of).length
  const [asked, differ] = [cases.length, differences.length]
  const [stricter, outOfReach] = [count('stricter'), count('out_of_reach')]
  return { title, asked, same: asked - differ, stricter, outOfReach, lenient: differ - stricter - outOfReach }
}

function inOneLine(difference: Difference): string {
  const { kind, method, operation, variant, account, side, theirs, ours, oursOnly, theirsOnly } = difference
  const what = [method, operation, ...(variant === '' ? [] : [`(${variant})`])].join(' ')
  const rows = [...oursOnly.map((marker) => `+${marker}`), ...theirsOnly.map((marker) => `-${marker}`)]
  return `${kind}: ${what} by ${account} on ${side}: MLflow ${theirs}, gateway ${ours} ${rows.join(' ')}`.trim()
}

/** The counts as lines of text. */
export function countsOf({ tallies, applied }: Verdict): readonly string[] {
  const reasons = [...applied.values()].filter((count) => count > 0).length
  return [
    ...tallies.map(
      ({ title, asked, same, stricter, lenient, outOfReach }) =>
        `${title}: ${asked} asked, ${same} the same, ${stricter} stricter, ${lenient} more lenient, ${outOfReach} by a rule out of MLflow's reach`,
    ),
    `${reasons} reasons applied`,
  ]
}

/** Reasons and rules for differences that were not met: only a run of everything can tell. */
export function unused({ applied, outOfReach }: Verdict): readonly string[] {
  const never = (count: number) => count === 0
  const reasons = [...applied].filter(([, count]) => never(count))
  const rules = [...outOfReach].filter(([, count]) => never(count))
  return [
    ...reasons.map(([{ of, recorded }]) => `${of.join(', ')} (${recorded?.join(', ') ?? 'rows'})`),
    ...rules.map(([operation]) => operation),
  ].map((what) => `no longer a difference: ${what}`)
}

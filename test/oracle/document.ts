import { operations } from './cases.ts'
import { REASONS, type Reason } from './reasons.ts'
import { countsOf, type Verdict } from './verdict.ts'

const HEADING = `# Parity with MLflow's own auth app

MLflow 3.17.2 can check rights itself, with its \`basic-auth\` app. \`npm run test:oracle\` starts that app and, beside it,
the gateway in front of a bare server; both hold the same things, the same people and the same grants. Every operation of
MLflow is then asked of both, by whoever holds nothing, READ, USE, EDIT, MANAGE or DENY and by an administrator, about
what the grants are on and about something else; further by people who lack the grant on one type of resource, and by
people with a grant on one sub-resource type. A reduced form is part of \`make test\`.

The effect must be the same: let through or refused, and of a list which rows are in it. Where it is not, the gateway is
the stricter one, for a reason given below. Being more lenient fails the test (but for the last table), as does a
difference without a reason or a reason without a difference. A search in several experiments is narrowed by the gateway to those that may be read, where
MLflow refuses the whole of it; this counts as the same if MLflow tells the same person each of the rows that are left.
A file of a model version is given by its path, too, to whoever may read the model: MLflow gives the same file to the same
person at \`/model-versions/get-artifact\`.

This file is generated from \`test/oracle/reasons.ts\` by \`npm run docs:parity\`, with the counts of that run.
`

/** \`docs/parity.md\`. */
export function renderParity(verdict: Verdict): string {
  const rows = REASONS.map((reason) => renderReason(reason, verdict.applied.get(reason) ?? 0))
  return [
    HEADING,
    '## Counts\n',
    ...countsOf(verdict).map((line) => `- ${line}`),
    '\n## Where the gateway is stricter\n',
    "| Operations | MLflow's auth app | The gateway | Because | On record | Times |",
    '|---|---|---|---|---|---|',
    ...rows,
    "\n## Where MLflow's own rule is out of its reach\n",
    'MLflow has a rule for these operations, by the experiment of the job, and refuses them to everybody but administrators',
    'all the same: it looks rules up by the exact path, and these paths hold an id. The gateway does what the rule says. No',
    'other difference of that kind is accepted, and the test fails if one of these ends.\n',
    '| Operation | Times |',
    '|---|---|',
    ...[...verdict.outOfReach].map(([operation, count]) => `| \`${operation}\` | ${count} |`),
    '',
  ].join('\n')
}

/** A row of the table up to its count. */
export function renderReason(reason: Reason, count?: number): string {
  const known = new Set(operations().map(({ operation }) => operation))
  const names = reason.of.map((name) => {
    const operation = name.split('/')[0] ?? ''
    if (!known.has(operation)) throw new Error(`no such operation: ${name}`)
    const variant = name.slice(operation.length + 1)
    return variant === '' ? `\`${operation}\`` : `\`${operation}\` (${variant})`
  })
  const recorded = (reason.recorded ?? []).map((word) => `\`${word}\``).join(', ')
  const cells = [names.join(', '), reason.mlflow, reason.gateway, reason.because, recorded]
  const row = `| ${cells.join(' | ')} |`
  return count === undefined ? row : `${row} ${count} |`
}

import { operations } from './cases.ts'
import { OUT_OF_REACH } from './comparison.ts'
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
difference without a reason or a reason without a difference.

Three answers count as the same though MLflow's differs, since it tells the same person the same elsewhere. A search in
several experiments is narrowed to those that may be read, where MLflow refuses the whole of it. The list of what is bound
to any endpoint is narrowed alike, which MLflow gives to others than administrators endpoint by endpoint only. A file of a
model version is given by its path, too, to whoever may read the model, as MLflow gives it at
\`/model-versions/get-artifact\`. In each case the test looks whether MLflow did tell it to that person.

Workspaces are off on both sides: what is asked of them is answered 503 by MLflow, and counts as refused.

This file is generated from \`test/oracle/reasons.ts\` by \`npm run docs:parity\`.
`

/** \`docs/parity.md\`. @param form What was asked, as a word. */
export function renderParity(verdict: Verdict, form: string): string {
  return [
    HEADING,
    `## Counts of ${form}\n`,
    ...countsOf(verdict).map((line) => `- ${line}`),
    '',
    REASONS_AND_RULES,
  ].join('\n')
}

/** What does not depend on a run. */
export const REASONS_AND_RULES = [
  '## Where the gateway is stricter\n',
  "| Operations | MLflow's auth app | The gateway | Because | On record |",
  '|---|---|---|---|---|',
  ...REASONS.map(renderReason),
  "\n## Where MLflow's own rule is out of its reach\n",
  'MLflow has a rule for these operations, by the experiment of the job, and refuses them to everybody but administrators',
  'all the same: it looks rules up by the exact path, and these paths hold an id. The gateway does what the rule says. No',
  'other difference of that kind is accepted, and the test fails if one of these ends.\n',
  ...Object.keys(OUT_OF_REACH).map((operation) => `- \`${operation}\``),
  '',
].join('\n')

function renderReason({ of, mlflow, gateway, because, recorded = [] }: Reason): string {
  const known = new Set(operations().map(({ operation }) => operation))
  const names = of.map((name) => {
    const operation = name.split('/')[0] ?? ''
    if (!known.has(operation)) throw new Error(`no such operation: ${name}`)
    const variant = name.slice(operation.length + 1)
    return variant === '' ? `\`${operation}\`` : `\`${operation}\` (${variant})`
  })
  const words = recorded.map((word) => `\`${word}\``)
  return `| ${[names.join(', '), mlflow, gateway, because, words.join(', ')].join(' | ')} |`
}

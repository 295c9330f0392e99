import { expect, it } from 'vitest'
import { compileAccess } from '../../src/policy/access.ts'
import { type Demand, decide } from '../../src/policy/decide.ts'
import type { Action, Grant, GrantType, Level } from '../../src/policy/grants.ts'
import { runPython } from '../support/python.ts'

/** How a row asks about a run, in our words and in MLflow's (mlflow/server/auth/requirements.py, 3.17.2). */
type Shape = { readonly action: Action; readonly inherited?: Action }

const GIVEN: readonly (Level | undefined)[] = [undefined, 'READ', 'USE', 'EDIT', 'MANAGE', 'DENY']
const DEFAULTS: readonly Level[] = ['NO_PERMISSIONS', 'READ', 'EDIT', 'MANAGE']
const SHAPES: readonly Shape[] = [
  ...(['read', 'use', 'update', 'delete', 'manage', 'not_denied'] as const).map((action) => ({ action })),
  { action: 'delete', inherited: 'update' },
]

const CASES = DEFAULTS.flatMap((floor) =>
  SHAPES.flatMap((shape) =>
    GIVEN.flatMap((experiment) =>
      GIVEN.flatMap((run) => GIVEN.map((everyRun) => ({ floor, shape, experiment, run, everyRun }))),
    ),
  ),
)

/** Prints MLflow's verdict on each case, `1` or `0`. Grants: on the experiment, on every experiment, on every run. */
const script = (cases: unknown) => `
import json
from collections import namedtuple
from mlflow.server.auth.permissions import get_permission
from mlflow.server.auth.requirements import (
    Requirement, fold_grants_for_key, requirement_satisfied, requirement_to_grant_load_keys)

Row = namedtuple("Row", "resource_type resource_pattern permission")
out = []
for case in json.loads('''${JSON.stringify(cases)}'''):
    rows = [Row(kind, pattern, level) for kind, pattern, level in case["grants"] if level]
    experiment = ("experiment", "1")
    action, inherited = case["action"], case["inherited"] or case["action"]
    needs = []
    if action == "not_denied":
        needs.append(Requirement("run", "*", action))
    else:
        needs.append(Requirement("experiment", "1", "read"))
        needs.append(Requirement("run", "*", action, (Requirement("experiment", "1", inherited),)))
    def met(need):
        keys = {key: fold_grants_for_key(rows, key) for key in requirement_to_grant_load_keys(need)}
        return requirement_satisfied(need, keys, case["floor"], get_permission(case["floor"]))
    out.append("1" if all(met(need) for need in needs) else "0")
print("".join(out))
`

const grantsOf = ({ experiment, run, everyRun }: (typeof CASES)[number]) =>
  [
    ['experiment', '1', experiment],
    ['experiment', '*', run],
    ['run', '*', everyRun],
  ] as const

it('decides on what lies in a resource as MLflow does, for every combination of levels', async () => {
  const asked = CASES.map((each) => ({
    floor: each.floor,
    action: each.shape.action,
    inherited: each.shape.inherited ?? null,
    grants: grantsOf(each),
  }))
  const { code, stdout, stderr } = await runPython(script(asked))
  expect([code, code === 0 ? '' : stderr]).toEqual([0, ''])
  const theirs = [...stdout.trim()].map((verdict) => verdict === '1')
  expect(theirs).toHaveLength(CASES.length)

  const different = CASES.filter((each, index) => isAllowed(each) !== theirs[index])
  expect(different).toEqual([])
  // Both verdicts are there, so that agreement says something.
  expect(new Set(theirs)).toEqual(new Set([true, false]))
})

function isAllowed(each: (typeof CASES)[number]): boolean {
  const grants = grantsOf(each).flatMap(([resourceType, pattern, level]): Grant[] =>
    level === undefined ? [] : [grantOn(resourceType, pattern, level)],
  )
  const access = compileAccess([{ id: 'r', name: 'r', grants }], { defaultLevel: each.floor, now: 0 })
  const demand: Demand = { ...each.shape, resource: { type: 'experiment', key: '1', tier: 'run' } }
  return decide([demand], access).effect === 'allow'
}

function grantOn(resourceType: GrantType, pattern: string, level: Level): Grant {
  return { resourceType, match: pattern === '*' ? 'any' : 'exact', pattern, level }
}

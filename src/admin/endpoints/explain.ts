import { Type } from 'typebox'
import { GatewayError } from '../../errors.ts'
import type { LocatorKind } from '../../mlflow/operation.ts'
import { satisfies } from '../../policy/access.ts'
import type { Explanation, Remedy } from '../../policy/explain.ts'
import { describeGrant } from '../../policy/grants.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { type Answer, explainFor } from '../explanation.ts'
import { administersIn, InWorkspace, partsIn, WorkspaceWire, workspaceToWire } from '../place.ts'
import { BareGrantWire, bareGrantToWire, ConsideredWire, consideredToWire } from '../wire.ts'

const ExplanationWire = Type.Object({
  action: Type.String(),
  resource: Type.Object({
    type: Type.String(),
    key: Type.Union([Type.String(), Type.Null()]),
    name: Type.Union([Type.String(), Type.Null()]),
    tier: Type.Union([Type.String(), Type.Null()]),
  }),
  effect: Type.Enum(['allow', 'deny']),
  reason: Type.Union([Type.String(), Type.Null()]),
  needed: Type.String(),
  held: Type.String(),
  by_default: Type.Boolean(),
  grants: Type.Array(ConsideredWire),
  remedy: Type.Union([
    Type.Null(),
    Type.Object({
      kind: Type.Enum(['grant', 'revoke', 'admin']),
      grants: Type.Array(BareGrantWire, { description: 'To add, or to take away.' }),
      text: Type.String(),
    }),
  ]),
})

function explanationToWire({ demand, effect, reason, needed, held, byDefault, grants, remedy }: Explanation) {
  const { type, key, name, tier } = demand.resource
  return {
    action: demand.action,
    resource: { type, key: key ?? null, name: name ?? null, tier: tier ?? null },
    effect,
    reason: reason ?? null,
    needed,
    held,
    by_default: byDefault,
    grants: grants.map(consideredToWire),
    remedy: remedy === undefined ? null : remedyToWire(remedy),
  }
}

function remedyToWire(remedy: Remedy) {
  const grants = remedy.kind === 'grant' ? [remedy.grant] : remedy.kind === 'revoke' ? remedy.grants : []
  const verb = { grant: 'Add', revoke: 'Take away', admin: '' }[remedy.kind]
  const text =
    remedy.kind === 'admin'
      ? 'No grant covers it: only an administrator may'
      : `${verb} ${grants.map(describeGrant).join(' and ')}`
  return { kind: remedy.kind, grants: grants.map(bareGrantToWire), text }
}

/** What somebody asks about their own rights goes without an administrator. */
function notOnesOwn(): GatewayError {
  const message = "Permission denied: other people's rights are for administrators"
  return new GatewayError('ERR_PERMISSION_DENIED', message, { reason: 'admin_only' })
}

export const EXPLAIN_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    name: 'access.explain',
    method: 'GET',
    path: '/explain',
    summary:
      'Why somebody may do something or may not, with every grant considered; of oneself, or for administrators',
    who: 'signed_in',
    query: Type.Object({
      username: Type.Optional(Type.String({ description: 'Oneself, if absent.' })),
      operation: Type.String({ description: 'As the record names it: runs.delete.' }),
      about: Type.Optional(
        Type.Array(Type.String({ pattern: '^[a-z_]+=.+$', description: 'What it is about: run=6c1e...' }), {
          maxItems: 10,
        }),
      ),
      ...InWorkspace,
    }),
    answer: Type.Object({
      username: Type.String(),
      operation: Type.String(),
      ...WorkspaceWire,
      effect: Type.Enum(['allow', 'deny']),
      reason: Type.Union([Type.String(), Type.Null()]),
      is_admin: Type.Boolean(),
      explanations: Type.Array(ExplanationWire),
      withheld: Type.Boolean({
        description:
          'True if it is also about what is not there, or what one may not read: of that nothing is shown.',
      }),
    }),
    handle: async (
      { caller, query: { username = caller.principal.username, operation, about = [], workspace } },
      everywhere,
    ) => {
      const parts = partsIn(workspace, everywhere)
      const showsAll = administersIn(caller, parts.workspace, parts)
      if (!showsAll && username !== caller.principal.username) throw notOnesOwn()
      const subjects = Object.fromEntries(
        about.map((each): [LocatorKind, string] => {
          const at = each.indexOf('=')
          return [each.slice(0, at) as LocatorKind, each.slice(at + 1)]
        }),
      )
      const answer = await explainFor({ username, operation, subjects }, parts)
      return {
        body: {
          username,
          operation,
          is_admin: answer.isAdmin,
          ...workspaceToWire(parts.workspace),
          ...shown(answer, showsAll),
        },
      }
    },
  }),
]

/**
 * What was looked up is shown to those only who may read what it is of. The others learn no more than a refusal tells: not
 * whether it is there, what kind of thing it is, or how many such things were found.
 */
function shown({ effect, reason, explanations }: Answer, showsAll: boolean) {
  const shown = explanations.filter(({ held }) => showsAll || satisfies(held, 'READ'))
  const withheld = shown.length < explanations.length
  return {
    effect,
    reason: (withheld && effect === 'deny' ? 'no_grant' : reason) ?? null,
    explanations: shown.map(explanationToWire),
    withheld,
  }
}

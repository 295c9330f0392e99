import type { Explanation, Remedy } from '../policy/explain.ts'
import { describeGrant } from '../policy/grants.ts'
import type { RoleVia } from '../store/membership.ts'
import type { Answer } from './explanation.ts'

/** An answer as lines of text: the verdict, then each thing with the grants that were considered, and what would help. */
export function explanationText(answer: Answer): string {
  const { username, operation, effect, isAdmin, explanations } = answer
  const verdict = effect === 'allow' ? 'is allowed' : 'is not allowed'
  const head = `${username} ${verdict} ${operation}${isAdmin && effect === 'allow' ? ', as an administrator' : ''}${whyNot(answer)}`
  return [head, ...explanations.flatMap(linesOf)].map((line) => `${line}\n`).join('')
}

const WHY_NOT: Readonly<Record<string, string>> = {
  admin_only: ': it is for administrators',
  nobody: ': the gateway serves it to nobody',
  no_such_membership: ': they hold nothing in that workspace; a role in it would be needed first',
  locked_out: ': disabled, or their provider is no longer configured',
}

function whyNot({ effect, reason }: Answer): string {
  return effect === 'deny' && reason !== undefined ? (WHY_NOT[reason] ?? '') : ''
}

function linesOf({ demand, effect, needed, held, grants, byDefault, remedy }: Explanation): string[] {
  const mark = effect === 'allow' ? '+' : '-'
  return [
    `${mark} ${demand.action} on ${describeResource(demand.resource)}: asks for ${needed}, has ${held}${byDefault ? ' by default' : ''}`,
    ...grants.map(
      ({ grant, role, personal, via, decides }) =>
        `    ${decides ? '*' : ' '} ${describeGrant(grant)}  ${personal ? 'granted to the person' : `role ${role}, ${via.map(describeVia).join(' and ')}`}`,
    ),
    ...(remedy === undefined ? [] : [`    ${describeRemedy(remedy)}`]),
  ]
}

/** @returns e.g. `experiment 12 (alpha/one), its runs`. */
export function describeResource({ type, key, name, tier }: Explanation['demand']['resource']): string {
  if (type === 'server') return 'the server itself'
  const what = key ?? (name === undefined ? 'that does not exist' : JSON.stringify(name))
  const called = name !== undefined && name !== key && key !== undefined ? ` (${name})` : ''
  return `${type} ${what}${called}${tier === undefined ? '' : `, as a ${tier}`}`
}

/** How somebody comes to hold a role. */
export function describeVia(via: RoleVia): string {
  switch (via.kind) {
    case 'assigned':
      return 'assigned'
    case 'personal':
      return 'granted to the person'
    case 'group':
      return `by group ${via.provider}:${via.name}`
    case 'name':
      return `by username ${via.provider}:${via.name}`
  }
}

function describeRemedy(remedy: Remedy): string {
  switch (remedy.kind) {
    case 'grant':
      return `would be allowed with ${describeGrant(remedy.grant)}`
    case 'revoke':
      return `would be allowed without ${remedy.grants.map(describeGrant).join(' and ')}`
    case 'admin':
      return 'no grant covers it: only an administrator may'
  }
}

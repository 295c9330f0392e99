import { GatewayError } from '../errors.ts'
import type { Access } from '../policy/access.ts'
import { nounOf } from '../policy/asked.ts'
import { type Call, select } from './call.ts'
import { type Denied, isOnTier, judgesPath, missingAccess } from './missing-access.ts'

/** How a thing is called that the caller may not see: its name alone does not tell which of the two it is. */
function unseen(type: string): string {
  return type === 'registered_model' || type === 'prompt' ? 'registered model or prompt' : nounOf(type)
}

/**
 * The refusal for a decision, in a workspace where they are kept apart. It names what is missing, and nothing that the caller did not know: ids that were looked
 * up and levels that others hold stay here, so a thing that exists and one that does not are refused in the same words.
 */
export function refusalFor(decision: Denied, call: Call, access: Access, workspace?: string): GatewayError {
  const { operation } = call
  const missing = missingAccess(decision, call, access)
  const options = {
    reason: decision.reason,
    missing: missing && (workspace === undefined ? missing : { ...missing, workspace }),
  }
  if (operation.hidden !== undefined) {
    const need = operation.needs.find((each) => each.kind === 'resource')
    const value = need?.kind === 'resource' ? (select(call, need.locator.selector)[0] ?? '') : ''
    return new GatewayError('ERR_NOT_FOUND', operation.hidden(value), options)
  }
  const message = `Permission denied: ${sentence(decision, call, access)}`
  return new GatewayError('ERR_PERMISSION_DENIED', message, options)
}

function sentence(decision: Denied, { operation }: Call, access: Access): string {
  const { demand, needed, held, reason } = decision
  const { type, key, name } = demand.resource
  const isPlace = type === 'server' || type === 'experiment'
  if (isPlace && reason !== 'level_too_low' && judgesPath(operation)) {
    // In the same words, whether there is an experiment at that path or not.
    return `${operation.name} asks for ${needed} on the experiment that the path belongs to, and is for administrators where it belongs to none`
  }
  if (type === 'server' && name !== undefined) {
    return `${operation.name} asks for being ${name} of it, whatever you are granted, and is for administrators`
  }
  if (reason === 'admin_only' || type === 'server') return `${operation.name} is for administrators here`
  if (demand.action === 'create') {
    const patterns = access.patterns(type, needed)
    const where =
      patterns.length === 0 ? 'under no name at all' : `under these names only: ${patterns.join(', ')}`
    return `${operation.name} asks for ${needed} on the name ${JSON.stringify(name ?? key ?? '')}; you may create ${nounOf(type)}s ${where}`
  }
  if (isOnTier(decision, access)) {
    const of = nounOf(demand.resource.tier ?? '')
    return `${operation.name} asks for ${needed} on every ${of}, and a grant on all of them gives you ${held}; ask an administrator`
  }
  const what =
    reason === 'level_too_low' && key !== undefined
      ? `${nounOf(type)} ${JSON.stringify(key)}`
      : `the ${unseen(type)}`
  const have = reason === 'level_too_low' ? `, you have ${held}` : ''
  return `${operation.name} asks for ${needed} on ${what}${have}; ask an administrator, or somebody with MANAGE on it, to grant it`
}

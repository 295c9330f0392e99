import { GatewayError } from '../errors.ts'

/**
 * What the policy file says is changed there: a change made by hand would be undone when the file is next applied.
 *
 * @param what The thing, as the beginning of a sentence.
 * @throws {GatewayError} `ERR_INVALID_PARAMETER` (reason `owned_by_policy`)
 */
export function assertByHand({ source }: { readonly source: string }, what: string): void {
  if (source !== 'policy') return
  throw new GatewayError(
    'ERR_INVALID_PARAMETER',
    `${what} comes from the policy file; change it there and apply the file`,
    { reason: 'owned_by_policy' },
  )
}

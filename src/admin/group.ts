import { GatewayError } from '../errors.ts'
import type { MemberConfig } from '../policy/member.ts'

/** Stands for the provider of mappings that were written without one; no provider's id can be that. */
export const NO_PROVIDER = '-'

/**
 * The provider that a group is named with; '' for {@link NO_PROVIDER}.
 *
 * @param use To `map` a role, a group has to be of a provider that can vouch for it.
 * @throws {GatewayError} `ERR_INVALID_PARAMETER`
 */
export function providerNamed(
  provider: string,
  { providers }: Pick<MemberConfig, 'providers'>,
  use?: 'map' | 'unmap',
): string {
  if (use !== 'map') return provider === NO_PROVIDER ? '' : provider
  if (providers.some(({ id }) => id === provider)) return provider
  throw new GatewayError(
    'ERR_INVALID_PARAMETER',
    `There is no provider ${provider}; configured are ${providers.map(({ id }) => id).join(', ')}`,
  )
}

import { qualifyName } from '../config/qualified-name.ts'
import type { ProviderName } from '../store/membership.ts'
import type { MemberConfig } from './member.ts'

/** Entries of `ADMIN_USERS` or `ADMIN_GROUPS`, each with its provider; what could be somebody at two providers is nobody. */
export function qualifiedNames(
  entries: readonly string[],
  { providers }: Pick<MemberConfig, 'providers'>,
): readonly ProviderName[] {
  const ids = providers.map(({ id }) => id)
  return entries.flatMap((entry) => {
    const qualified = qualifyName(entry, ids)
    if ('problem' in qualified) return []
    const colon = qualified.name.indexOf(':')
    return { provider: qualified.name.slice(0, colon), name: qualified.name.slice(colon + 1) }
  })
}

/**
 * A user or group name with the provider that vouches for it: `provider:name`. A name at one provider must never mean
 * somebody at another, so a bare name is only understood where there is just one provider.
 *
 * @param entry `name` or `provider:name`. A name that holds a colon must be qualified.
 * @returns The qualified name, or why there is none, to follow the entry in a sentence.
 */
export function qualifyName(
  entry: string,
  providerIds: readonly string[],
): { readonly name: string } | { readonly problem: string } {
  const colon = entry.indexOf(':')
  if (colon === -1) {
    const [only, ...others] = providerIds
    if (only === undefined || others.length > 0) return { problem: 'does not say which provider it is of' }
    return { name: `${only}:${entry}` }
  }
  if (!providerIds.includes(entry.slice(0, colon))) return { problem: 'begins with no configured provider' }
  if (colon === entry.length - 1) return { problem: 'names nobody' }
  return { name: entry }
}

/** The claims of a verified token or UserInfo response (OIDC Core 1.0 §5.1). */
export type Claims = Readonly<Record<string, unknown>>

/** Bounds on what a provider may make us keep of one person. */
const MAX_GROUPS = 2000
const MAX_TEXT = 255

/** What the claims say of a person. */
export type Profile = {
  readonly username: string
  /** Only if the provider vouches for it. */
  readonly email: string | undefined
  readonly displayName: string | undefined
  readonly groups: readonly string[]
}

/** Reads a {@link Profile} by the rules of one provider. */
export function readProfile(
  claims: Claims,
  rules: { readonly usernameClaim: string; readonly groupsClaim: string | undefined },
): Profile {
  return {
    username: readUsername(claims, rules.usernameClaim),
    email: readVerifiedEmail(claims),
    displayName: readText(claims['name']),
    groups: readGroups(claims, rules.groupsClaim),
  }
}

/**
 * Reads a claim by its dotted path: `groups`, `realm_access.roles`, `resource_access.my\.client.roles`.
 *
 * @param path Segments divided by `.`; `\.` is a dot inside a segment, `\\` a backslash.
 */
export function readClaim(claims: Claims, path: string): unknown {
  let value: unknown = claims
  for (const segment of splitPath(path)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment)) return undefined
    value = (value as Claims)[segment]
  }
  return value
}

/**
 * The groups at `path`: a list of strings, or one string. Duplicates, other types, and names that are empty, longer
 * than 255 characters or hold control characters are left out (never shortened: a shortened name is another group).
 *
 * @returns At most 2000.
 */
export function readGroups(claims: Claims, path: string | undefined): string[] {
  if (path === undefined) return []
  const value = readClaim(claims, path)
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  const names = list.map(readText).filter((name) => name !== undefined)
  return [...new Set(names)].slice(0, MAX_GROUPS)
}

/** True if the claim that lists groups is there at all, even empty. */
export function hasGroups(claims: Claims, path: string | undefined): boolean {
  return path !== undefined && readClaim(claims, path) !== undefined
}

/**
 * What people call this principal: the configured claim, else the verified e-mail address, else the subject. For
 * people to read: identity is issuer and subject (OIDC Core 1.0 §5.7).
 */
export function readUsername(claims: Claims, claim: string): string {
  const named = claim === 'email' ? undefined : readText(readClaim(claims, claim))
  return named ?? readVerifiedEmail(claims) ?? readText(claims['sub']) ?? ''
}

/** The e-mail address, if `email_verified` says so; some providers write the boolean as a string. */
export function readVerifiedEmail(claims: Claims): string | undefined {
  const verified = claims['email_verified']
  return verified === true || verified === 'true' ? readText(claims['email']) : undefined
}

function readText(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const text = value.trim()
  return text.length > 0 && text.length <= MAX_TEXT && !/\p{Cc}/u.test(text) ? text : undefined
}

function splitPath(path: string): string[] {
  const segments = ['']
  for (const [token = '', escaped] of path.matchAll(/\\(.)|[^\\]/gs)) {
    if (token === '.') segments.push('')
    else segments.push((segments.pop() ?? '') + (escaped ?? token))
  }
  return segments
}

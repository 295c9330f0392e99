/** Who is calling. Identified by issuer **and** subject (OIDC Core 1.0 §5.7); the username is for people to read. */
export type Principal = {
  /** The store's own key of the person or service account. */
  readonly userId: string
  readonly issuer: string
  readonly subject: string
  readonly username: string
  /** Id of the configured provider that vouched, e.g. `oidc`, `google`. */
  readonly provider: string
  readonly groups: readonly string[]
  /** Names of the roles held, by assignment or through a group. The personal role is not listed. */
  readonly roles: readonly string[]
  readonly isAdmin: boolean
}

/** What proves the principal: a browser session, a token issued by the gateway, or a JWT of a configured issuer. */
export type CredentialKind = 'session' | 'access_token' | 'provider_token'

/** Scopes a token may be narrowed to. No scope means: all its owner may do. */
export type Scope = 'read'

export type Credential = {
  readonly kind: CredentialKind
  /** How it was sent. Only `cookie` is sent by browsers on their own, so only it needs the Origin check. */
  readonly form: 'cookie' | 'bearer' | 'basic'
  /** `sid` of the session or `jti` of the access token; for a provider's JWT its `jti` or `sub`. Never the secret. */
  readonly id: string
  readonly scope: readonly Scope[]
  /** Seconds since the epoch. */
  readonly expiresAt: number
}

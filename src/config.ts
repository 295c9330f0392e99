export { ConfigError, type Fault } from './config/fault.ts'

/** One way to sign in: an OpenID Provider, or Google. */
export type ProviderConfig = {
  /** `oidc`, `google`, or an entry of OIDC_PROVIDERS. Lower-case letters and digits; part of the callback's path. */
  readonly id: string
  readonly kind: 'oidc' | 'google'
  /** What the sign-in button says. */
  readonly label: string
  /** Exactly as the provider announces it (OIDC Discovery 1.0 §4.3), trailing slash or not. */
  readonly issuer: string
  readonly clientId: string
  /** Absent for a public client: PKCE alone then binds the code. */
  readonly clientSecret: string | undefined
  /** Space-separated (RFC 6749 §3.3); holds `openid`. */
  readonly scopes: string
  /** Dotted path of the claim that lists groups; `\.` is a dot inside a segment. Absent: no groups from this provider. */
  readonly groupsClaim: string | undefined
  readonly usernameClaim: string
  /** What `aud` of a bearer JWT of this issuer may be; never empty. */
  readonly audiences: readonly string[]
  /** What `alg` of a bearer JWT of this issuer may be (RFC 8725 §3.1); asymmetric only, never empty. */
  readonly bearerAlgorithms: readonly string[]
  /** Whether JWTs of this issuer count as bearer tokens at all. */
  readonly acceptBearer: boolean
  /** Google only: what the `hd` claim must be. */
  readonly hostedDomain: string | undefined
  /** Google only: e-mail addresses or subjects whose ID tokens count as bearer tokens. */
  readonly serviceAccounts: readonly string[]
  /** True only if the issuer is plain http and ALLOW_HTTP_ISSUER permits it. */
  readonly allowHttpIssuer: boolean
}

/** The checked configuration. Durations are in seconds, sizes in bytes unless the name says otherwise. */
export type Config = {
  readonly environment: 'production' | 'development'
  /** What people and scripts use. May carry a path prefix; its pathname ends in no slash but the root's own. */
  readonly publicUrl: URL
  readonly host: string
  readonly port: number
  /** Lower-case, without port unless one was given; IPv6 in brackets. Holds the public URL's own host. */
  readonly allowedHosts: readonly string[]
  /** How long requests in flight may take to finish after SIGTERM. */
  readonly shutdownGrace: number
  /** The tracking server. Pathname as {@link Config.publicUrl}'s; never holds a user name or password. */
  readonly upstreamUrl: URL
  /** How long the upstream may stay silent. Not a limit on the whole transfer. */
  readonly upstreamTimeout: number
  readonly databaseUrl: string
  /** Key material for everything sealed or signed by us: at least 32 characters, no placeholder. */
  readonly gatewaySecret: string
  /** At least one. Ids and issuers are unique. */
  readonly providers: readonly ProviderConfig[]
  /** Always `provider:name`, also where the variable said just `name`. */
  readonly adminUsers: readonly string[]
  /** Always `provider:name`, also where the variable said just `name`. */
  readonly adminGroups: readonly string[]
  /** What a signed-in person may do with a resource that no grant of theirs covers. */
  readonly defaultPermission: 'NO_PERMISSIONS' | 'READ' | 'USE' | 'EDIT'
  readonly policyFile: string | undefined
  readonly sessionIdleTtl: number
  readonly sessionAbsoluteTtl: number
  readonly sessionTokenTtl: number
  readonly accessTokenMaxTtl: number
  readonly jsonBodyLimit: number
  readonly trustAuthorship: boolean
  readonly presignedUrls: boolean
  readonly auditStdout: boolean
  readonly auditFile: string | undefined
  readonly auditFileMaxMb: number
  readonly auditFileCount: number
  /** 0: no audit events are kept in the store. */
  readonly auditStoreDays: number
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace'
  readonly metricsPort: number | undefined
  /** Sentences about dangerous but permitted settings, to be logged at start. Hold no secret. */
  readonly warnings: readonly string[]
}

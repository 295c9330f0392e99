import { readFileSync } from 'node:fs'
import type { JSONWebKeySet } from 'jose'
import { checkAgreement } from './config/agreement.ts'
import { readHosts, readNamedFile, readPlainUrl } from './config/checks.ts'
import { readDatabase, type StoreAddress } from './config/database.ts'
import { ConfigError, createFaultList, type FaultList } from './config/fault.ts'
import { type NetworkConfig, readNetwork } from './config/network.ts'
import { checkVerification, readTls, type TlsConfig } from './config/pem-files.ts'
import { oidcPrefixes, readProviders } from './config/providers.ts'
import { qualifyName } from './config/qualified-name.ts'
import { GatewaySchema, type GatewayVariables } from './config/schema.ts'
import { checkSpelling } from './config/spelling.ts'
import { readTraces, type TracesConfig } from './config/traces.ts'
import {
  type FurtherUpstream,
  readAllowedHosts,
  readFurtherUpstreams,
  readReach,
  type UpstreamConfig,
  upstreamPrefixes,
} from './config/upstreams.ts'
import { readVariables, type Source } from './config/variables.ts'
import { listWarnings } from './config/warnings.ts'
import type { PostgresSettings } from './store/postgres-settings.ts'

export { ConfigError, type Fault } from './config/fault.ts'
export type { FurtherUpstream, UpstreamConfig } from './config/upstreams.ts'

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
  /** Globs of what `sub` of a bearer JWT may be; empty for any. */
  readonly bearerSubjects: readonly string[]
  /** Whether people sign in with it. */
  readonly signIn: boolean
  /** The issuer's public keys, where they are not read from it (RFC 7517 §5). */
  readonly jwks: JSONWebKeySet | undefined
  /** Google only: what the `hd` claim must be. */
  readonly hostedDomain: string | undefined
  /** Google only: e-mail addresses or subjects whose ID tokens count as bearer tokens. */
  readonly serviceAccounts: readonly string[]
  /** True only if the issuer is plain http and ALLOW_HTTP_ISSUER permits it. */
  readonly allowHttpIssuer: boolean
  /** Hosts that may be called besides the issuer's own. As {@link Config.allowedHosts}. */
  readonly allowedHosts: readonly string[]
  /** PEM of the authorities that alone may vouch for the provider; undefined: those that Node ships. */
  readonly authorities: string | undefined
  /** Where they come from, to be followed. */
  readonly authoritiesFile?: string | undefined
}

/** The checked configuration; where it speaks of a tracking server, of the one at `UPSTREAM_URL`. Durations are in seconds, sizes in bytes unless the name says otherwise. */
export type Config = UpstreamConfig & {
  readonly environment: 'production' | 'development'
  readonly host: string
  readonly port: number
  /** Tracking servers besides. */
  readonly upstreams: readonly FurtherUpstream[]
  /** How long requests in flight may take to finish after SIGTERM. */
  readonly shutdownGrace: number
  /** How long all goes on as before after SIGTERM, but for readiness. */
  readonly shutdownDelay: number
  /** Undefined: plain http. */
  readonly tls: TlsConfig | undefined
  readonly httpRedirectPort: number | undefined
  readonly network: NetworkConfig
  /** How long the upstream may stay silent. Not a limit on the whole transfer. */
  readonly upstreamTimeout: number
  readonly databaseUrl: string
  readonly postgres: PostgresSettings
  /** Where sessions are, if not in the database. */
  readonly redis: StoreAddress['redis']
  /** How long what is in memory counts while the store cannot be read. */
  readonly storeOutageGrace: number
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
  readonly policyWatch: boolean
  readonly sessionIdleTtl: number
  readonly sessionAbsoluteTtl: number
  readonly sessionTokenTtl: number
  readonly accessTokenMaxTtl: number
  /** Requests a second; 0 is no limit. */
  readonly rateLimitPrincipal: number
  /** Requests under way; 0 is no limit. */
  readonly concurrencyLimitPrincipal: number
  /** Requests a second; 0 is no limit. */
  readonly rateLimitAddress: number
  /** A minute; 0 is no limit. */
  readonly rateLimitSignIn: number
  readonly jsonBodyLimit: number
  readonly uiBadge: boolean
  readonly trustAuthorship: boolean
  readonly presignedUrls: boolean
  readonly artifactScripts: boolean
  /** As {@link Config.allowedHosts}. Empty: webhooks may call any host but those of private networks. */
  readonly webhookHosts: readonly string[]
  readonly auditStdout: boolean
  readonly auditFile: string | undefined
  readonly auditFileMaxMb: number
  readonly auditFileCount: number
  /** 0: no audit events are kept in the store. */
  readonly auditStoreDays: number
  /** 0: as many as there are days for. */
  readonly auditStoreMaxEvents: number
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace'
  readonly metricsPort: number | undefined
  /** Undefined: no traces. */
  readonly traces: TracesConfig | undefined
  /** Sentences about dangerous but permitted settings, to be logged at start. Hold no secret. */
  readonly warnings: readonly string[]
}

/**
 * Reads and checks every variable of `config/schema.ts`. A blank variable counts as not set; a secret may come from the
 * file that `NAME_FILE` names.
 *
 * @param readFile Reads a text file, throws if it cannot.
 * @throws {ConfigError} With every fault at once; none of them holds a value.
 */
export function readConfig(env: Source['env'], readFile: Source['readFile'] = readTextFile): Config {
  const source = { env, readFile }
  const faults = createFaultList()
  const variables = readVariables(GatewaySchema, '', source, faults)
  const config = derive(variables, source, faults)
  checkAgreement(config, variables, faults)
  checkVerification(source, faults)
  checkSpelling(source, { oidc: oidcPrefixes(variables), upstream: upstreamPrefixes(variables) }, faults)
  if (faults.all().length > 0) throw new ConfigError(faults.all())
  return { ...config, warnings: listWarnings(config, variables) }
}

function readTextFile(path: string): string {
  return readFileSync(path, 'utf8')
}

function derive(variables: GatewayVariables, source: Source, faults: FaultList): Config {
  const environment = variables.NODE_ENV === 'production' ? 'production' : 'development'
  const publicUrl = readPlainUrl('PUBLIC_URL', variables.PUBLIC_URL, faults)
  const allowedHosts = readAllowedHosts(variables.ALLOWED_HOSTS, publicUrl, faults)
  const providers = readProviders(variables, environment, source, faults)
  const ids = providers.map(({ id }) => id)
  return {
    environment,
    publicUrl,
    host: variables.HOST,
    port: variables.PORT,
    allowedHosts,
    shutdownGrace: variables.SHUTDOWN_GRACE,
    shutdownDelay: variables.SHUTDOWN_DELAY,
    tls: readTls(variables, source, faults),
    httpRedirectPort: variables.HTTP_REDIRECT_PORT,
    network: readNetwork(variables, faults),
    ...readReach('UPSTREAM_', mainReach(variables), source, faults),
    upstreams: readFurtherUpstreams(variables, { publicUrl, allowedHosts }, source, faults),
    upstreamTimeout: variables.UPSTREAM_TIMEOUT,
    ...readDatabase(variables, source, faults),
    storeOutageGrace: variables.STORE_OUTAGE_GRACE,
    gatewaySecret: variables.GATEWAY_SECRET,
    providers,
    adminUsers: readNames('ADMIN_USERS', variables.ADMIN_USERS, ids, faults),
    adminGroups: readNames('ADMIN_GROUPS', variables.ADMIN_GROUPS, ids, faults),
    defaultPermission: variables.DEFAULT_PERMISSION,
    policyFile: readablePath('POLICY_FILE', variables.POLICY_FILE, source, faults),
    policyWatch: variables.POLICY_WATCH,
    sessionIdleTtl: variables.SESSION_IDLE_TTL,
    sessionAbsoluteTtl: variables.SESSION_ABSOLUTE_TTL,
    sessionTokenTtl: variables.SESSION_TOKEN_TTL,
    accessTokenMaxTtl: variables.ACCESS_TOKEN_MAX_TTL,
    rateLimitPrincipal: variables.RATE_LIMIT_PRINCIPAL,
    concurrencyLimitPrincipal: variables.CONCURRENCY_LIMIT_PRINCIPAL,
    rateLimitAddress: variables.RATE_LIMIT_ADDRESS,
    rateLimitSignIn: variables.RATE_LIMIT_SIGN_IN,
    jsonBodyLimit: variables.JSON_BODY_LIMIT,
    uiBadge: variables.UI_BADGE,
    trustAuthorship: variables.TRUSTED_AUTHORSHIP,
    webhookHosts: readHosts('WEBHOOK_ALLOWED_HOSTS', variables.WEBHOOK_ALLOWED_HOSTS, faults),
    artifactScripts: variables.ALLOW_SCRIPTS_IN_ARTIFACT_PREVIEWS,
    presignedUrls: variables.ALLOW_PRESIGNED_URLS_THAT_OUTLIVE_REVOCATION,
    auditStdout: variables.AUDIT_STDOUT,
    auditFile: variables.AUDIT_FILE,
    auditFileMaxMb: variables.AUDIT_FILE_MAX_MB,
    auditFileCount: variables.AUDIT_FILE_COUNT,
    auditStoreDays: variables.AUDIT_STORE_DAYS,
    auditStoreMaxEvents: variables.AUDIT_STORE_MAX_EVENTS,
    logLevel: variables.LOG_LEVEL,
    metricsPort: variables.METRICS_PORT,
    traces: readTraces(variables, faults),
    warnings: [],
  }
}

/** What there is of the tracking server at `UPSTREAM_URL`, as there is of further ones. */
function mainReach(variables: GatewayVariables) {
  return {
    URL: variables.UPSTREAM_URL,
    HOST: variables.UPSTREAM_HOST,
    ARTIFACTS_URL: variables.UPSTREAM_ARTIFACTS_URL,
    CA_FILE: variables.UPSTREAM_CA_FILE,
    CERT_FILE: variables.UPSTREAM_CERT_FILE,
    KEY_FILE: variables.UPSTREAM_KEY_FILE,
    WORKSPACES: variables.WORKSPACES,
  }
}

function readNames(
  name: string,
  entries: readonly string[],
  ids: readonly string[],
  faults: FaultList,
): readonly string[] {
  return entries.map((entry, index) => {
    const qualified = qualifyName(entry, ids)
    if ('name' in qualified) return qualified.name
    const example = `${ids[0] ?? 'oidc'}:name`
    faults.add(
      name,
      `has an entry (number ${index + 1}) that ${qualified.problem}`,
      `Write it as ${example}; providers are ${ids.join(', ')}.`,
    )
    return entry
  })
}

/** The path, once the file has been found readable: the gateway reads it again later. */
function readablePath(
  name: string,
  path: string | undefined,
  source: Source,
  faults: FaultList,
): string | undefined {
  readNamedFile(name, path, source, faults)
  return path
}

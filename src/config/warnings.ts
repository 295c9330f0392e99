import type { Config } from '../config.ts'
import { parseDatabaseUrl, staysHere } from '../store/database-url.ts'
import { isLoopback } from './checks.ts'
import { GatewaySchema, type GatewayVariables } from './schema.ts'
import { variablesOf } from './variables.ts'

/** Sentences for the log at start: what is permitted, but weakens the gateway or is probably not meant. */
export function listWarnings(config: Config, variables: GatewayVariables): readonly string[] {
  const values: Readonly<Record<string, unknown>> = variables
  const warnings = variablesOf(GatewaySchema)
    .filter(({ key, variable }) => variable.danger !== undefined && values[key] === true)
    .map(({ name, variable }) => `${name} is on: ${variable.danger}`)
  return [...warnings, ...transportWarnings(config), ...accessWarnings(config)]
}

function transportWarnings(config: Config): string[] {
  const warnings: string[] = []
  const { protocol, hostname } = config.publicUrl
  if (protocol === 'http:' && !isLoopback(hostname)) {
    warnings.push('ALLOW_HTTP_PUBLIC_URL is on: cookies and tokens cross the network readable')
  } else if (protocol === 'http:' && config.environment === 'production') {
    warnings.push('PUBLIC_URL is a loopback address: nobody can sign in from another machine')
  }
  if (config.network.trustedProxies.some(({ prefix }) => prefix === 0)) {
    warnings.push('TRUSTED_PROXIES holds every address: anybody can claim any address in audit lines')
  }
  warnings.push(...databaseWarnings(config))
  for (const { id, kind } of config.providers.filter(({ allowHttpIssuer }) => allowHttpIssuer)) {
    const name = kind === 'google' ? 'GOOGLE_ISSUER_FOR_TESTS_ONLY is set' : 'ALLOW_HTTP_ISSUER is on'
    warnings.push(`${name}: whoever sits between the gateway and the provider ${id} can sign in as anybody`)
  }
  return warnings
}

function databaseWarnings({ databaseUrl }: Config): string[] {
  const address = parseDatabaseUrl(databaseUrl)
  if (address.kind === 'sqlite' || staysHere(address) || address.sslMode === 'verify-full') return []
  if (address.sslMode === 'disable') return []
  const who = address.sslMode === 'require' ? 'anybody' : 'anybody with a certificate of that authority'
  return [
    `DATABASE_URL has sslmode=${address.sslMode}: ${who} on the way can pose as the database; use verify-full`,
  ]
}

function accessWarnings(config: Config): string[] {
  const warnings: string[] = []
  if (config.defaultPermission !== 'NO_PERMISSIONS') {
    const what = `${config.defaultPermission} on everything without a grant of their own`
    warnings.push(`DEFAULT_PERMISSION gives everyone who can sign in ${what}`)
  }
  if (config.adminUsers.length === 0 && config.adminGroups.length === 0) {
    warnings.push('ADMIN_USERS and ADMIN_GROUPS are empty: nobody is an administrator by configuration')
  }
  if (!config.trustAuthorship) {
    warnings.push(
      'TRUSTED_AUTHORSHIP is off: anyone who may create runs can name somebody else as their author',
    )
  }
  const open = config.providers.find(
    ({ kind, hostedDomain }) => kind === 'google' && hostedDomain === undefined,
  )
  if (open !== undefined) {
    warnings.push('GOOGLE_HOSTED_DOMAIN is not set: everyone with a Google account can sign in')
  }
  return warnings
}

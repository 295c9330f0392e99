import type { JSONWebKeySet } from 'jose'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Config, ProviderConfig } from '../config.ts'
import { isLoopback, parseIssuer, readHosts, readNamedFile } from './checks.ts'
import type { FaultList } from './fault.ts'
import { readAuthorityFile } from './pem-files.ts'
import { GoogleSchema, ProviderSchema } from './provider-schema.ts'
import type { GatewayVariables } from './schema.ts'
import { readVariables, type Source, variablesOf } from './variables.ts'

const GOOGLE_ISSUER = 'https://accounts.google.com'

/** The prefixes of the OpenID Providers' variables: `OIDC_` for a single one, else `OIDC_CORP_` per id. */
export function oidcPrefixes(variables: Pick<GatewayVariables, 'OIDC_PROVIDERS'>): readonly string[] {
  if (variables.OIDC_PROVIDERS.length === 0) return ['OIDC_']
  return variables.OIDC_PROVIDERS.map((id) => `OIDC_${id.toUpperCase()}_`)
}

/** Every configured provider, OpenID Providers first. None at all is a fault: nobody could sign in. */
export function readProviders(
  variables: GatewayVariables,
  environment: Config['environment'],
  source: Source,
  faults: FaultList,
): readonly ProviderConfig[] {
  const providers: ProviderConfig[] = []
  for (const prefix of oidcPrefixes(variables)) {
    const id = prefix === 'OIDC_' ? 'oidc' : prefix.slice('OIDC_'.length, -1).toLowerCase()
    if (id === 'google')
      faults.add('OIDC_PROVIDERS', 'holds google', 'Use GOOGLE_CLIENT_ID for Google, or another id.')
    if (variables.OIDC_PROVIDERS.length > 0 || isStarted(ProviderSchema, prefix, source)) {
      providers.push(readOpenIdProvider(id, prefix, variables.ALLOW_HTTP_ISSUER, source, faults))
    }
  }
  if (isStarted(GoogleSchema, 'GOOGLE_', source)) providers.push(readGoogle(environment, source, faults))
  if (providers.length === 0) {
    const remedy =
      'Set OIDC_ISSUER and OIDC_CLIENT_ID for one OpenID Provider, OIDC_PROVIDERS for several, or GOOGLE_CLIENT_ID.'
    faults.add('OIDC_ISSUER', 'is not set, and neither is any other way to sign in', remedy)
  }
  checkIssuersDiffer(providers, faults)
  return providers
}

/** True if any of the provider's variables is set: then the required ones are missed by name. */
function isStarted(
  schema: typeof ProviderSchema | typeof GoogleSchema,
  prefix: string,
  source: Source,
): boolean {
  return variablesOf(schema, prefix).some(({ name }) =>
    Boolean(source.env[name] || source.env[`${name}_FILE`]),
  )
}

function readOpenIdProvider(
  id: string,
  prefix: string,
  allowHttpIssuer: boolean,
  source: Source,
  faults: FaultList,
): ProviderConfig {
  const variables = readVariables(ProviderSchema, prefix, source, faults)
  const protocol = checkIssuer(`${prefix}ISSUER`, variables.ISSUER, allowHttpIssuer, faults)
  return {
    id,
    kind: 'oidc',
    label: variables.LABEL ?? id,
    issuer: variables.ISSUER,
    clientId: variables.CLIENT_ID,
    clientSecret: variables.CLIENT_SECRET,
    scopes: variables.SCOPES,
    groupsClaim: variables.GROUPS_CLAIM,
    usernameClaim: variables.USERNAME_CLAIM,
    audiences: variables.AUDIENCES.length === 0 ? [variables.CLIENT_ID] : variables.AUDIENCES,
    bearerAlgorithms: variables.BEARER_ALGORITHMS,
    acceptBearer: variables.ACCEPT_BEARER,
    bearerSubjects: variables.BEARER_SUBJECTS,
    signIn: variables.SIGN_IN,
    jwks: readKeySet(prefix, variables, source, faults),
    hostedDomain: undefined,
    serviceAccounts: [],
    allowHttpIssuer: protocol === 'http:' && allowHttpIssuer,
    allowedHosts: readHosts(`${prefix}ALLOWED_HOSTS`, variables.ALLOWED_HOSTS, faults),
    authorities: readAuthorityFile(`${prefix}CA_FILE`, variables.CA_FILE, source, faults),
    authoritiesFile: variables.CA_FILE,
  }
}

/** Public keys only: a private one in a file that says who may come in would be the issuer's own. */
function readKeySet(
  prefix: string,
  { JWKS_FILE: path, SIGN_IN, ACCEPT_BEARER }: Static<typeof ProviderSchema>,
  source: Source,
  faults: FaultList,
): JSONWebKeySet | undefined {
  if (!SIGN_IN && !ACCEPT_BEARER) {
    const remedy = 'Set one of the two to true, or remove the provider.'
    faults.add(`${prefix}SIGN_IN`, `is false and so is ${prefix}ACCEPT_BEARER`, remedy)
  }
  const text = readNamedFile(`${prefix}JWKS_FILE`, path, source, faults)
  if (text === undefined) return undefined
  if (SIGN_IN) {
    const remedy = `Set ${prefix}SIGN_IN=false: people cannot sign in where nothing is discovered.`
    faults.add(`${prefix}JWKS_FILE`, `is set and ${prefix}SIGN_IN is true`, remedy)
  }
  const keys = parseKeySet(text)
  if (keys !== undefined) return keys
  const remedy = 'It must hold {"keys": [...]}, as the issuer has it at its jwks_uri: public keys, no others.'
  faults.add(`${prefix}JWKS_FILE`, 'names a file that is no set of public keys', remedy)
  return undefined
}

function parseKeySet(text: string): JSONWebKeySet | undefined {
  try {
    const set: unknown = JSON.parse(text)
    return Value.Check(KeySetSchema, set) ? (set as JSONWebKeySet) : undefined
  } catch {
    return undefined
  }
}

const KeySetSchema = Type.Object({
  keys: Type.Array(Type.Object({ kty: Type.Enum(['RSA', 'EC', 'OKP']), d: Type.Optional(Type.Never()) }), {
    minItems: 1,
  }),
})

function readGoogle(environment: Config['environment'], source: Source, faults: FaultList): ProviderConfig {
  const variables = readVariables(GoogleSchema, 'GOOGLE_', source, faults)
  const standIn = variables.ISSUER_FOR_TESTS_ONLY
  if (standIn !== undefined) checkGoogleStandIn(standIn, environment, faults)
  return {
    id: 'google',
    kind: 'google',
    label: variables.LABEL,
    issuer: standIn ?? GOOGLE_ISSUER,
    clientId: variables.CLIENT_ID,
    clientSecret: variables.CLIENT_SECRET,
    scopes: 'openid email profile',
    groupsClaim: undefined,
    usernameClaim: 'email',
    audiences: variables.AUDIENCES.length === 0 ? [variables.CLIENT_ID] : variables.AUDIENCES,
    bearerAlgorithms: ['RS256'],
    acceptBearer: variables.SERVICE_ACCOUNTS.length > 0,
    bearerSubjects: [],
    signIn: true,
    jwks: undefined,
    hostedDomain: variables.HOSTED_DOMAIN,
    serviceAccounts: variables.SERVICE_ACCOUNTS,
    allowHttpIssuer: standIn !== undefined,
    allowedHosts: [],
    authorities: undefined,
  }
}

/** OIDC Discovery 1.0 §3: an issuer is an https URL without query and fragment. @returns Its protocol. */
function checkIssuer(
  name: string,
  issuer: string,
  allowHttp: boolean,
  faults: FaultList,
): string | undefined {
  const url = parseIssuer(issuer)
  if (url === undefined) {
    faults.add(
      name,
      'is not an https URL without user, query or fragment',
      'Copy it from the discovery document.',
    )
  } else if (url.protocol === 'http:' && !allowHttp) {
    const remedy = 'Use https. For a test, ALLOW_HTTP_ISSUER=true permits it.'
    faults.add(name, 'is plain http, so that anyone on the way could sign in as anybody', remedy)
  }
  return url?.protocol
}

function checkGoogleStandIn(issuer: string, environment: Config['environment'], faults: FaultList): void {
  const name = 'GOOGLE_ISSUER_FOR_TESTS_ONLY'
  const url = parseIssuer(issuer)
  if (environment === 'production') {
    faults.add(name, 'is set in production', 'Remove it, or set NODE_ENV=development for a test.')
  } else if (url === undefined || !isLoopback(url.hostname)) {
    faults.add(name, 'is not the URL of a loopback address', 'Set it to a URL such as http://127.0.0.1:9000.')
  }
}

/** A bearer JWT is matched by its issuer, so two providers of one issuer could not be told apart. */
function checkIssuersDiffer(providers: readonly ProviderConfig[], faults: FaultList): void {
  const seen = new Map<string, string>()
  for (const { id, issuer } of providers) {
    const other = seen.get(issuer)
    if (other !== undefined) {
      const name = id === 'google' ? 'GOOGLE_CLIENT_ID' : `OIDC_${id.toUpperCase()}_ISSUER`
      faults.add(name, `is the issuer of the provider ${other} too`, 'Configure each issuer once.')
    }
    seen.set(issuer, id)
  }
}

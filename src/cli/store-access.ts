import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { type Static, type TObject, Type } from 'typebox'
import type { AdminParts } from '../admin/endpoint.ts'
import { type Chain, createChain, createChainKey } from '../audit/chain.ts'
import { readPlainUrl } from '../config/checks.ts'
import { type DatabaseVariables, readDatabase, type StoreAddress } from '../config/database.ts'
import { ConfigError, createFaultList } from '../config/fault.ts'
import { GatewaySchema } from '../config/schema.ts'
import { readVariables } from '../config/variables.ts'
import { type Config, readConfig } from '../config.ts'
import { type AccessTokens, createAccessTokens } from '../identity/access-token.ts'
import { ownIssuer } from '../identity/gateway-token.ts'
import { assertSecret, createKeyring, type Keyring } from '../identity/keyring.ts'
import { createLookup, type Lookup } from '../mlflow/lookup.ts'
import type { PolicySetting } from '../policy/policy-findings.ts'
import type { WorkspaceName } from '../policy/workspace-name.ts'
import { openStore, type Store } from '../store/store.ts'
import { COMMAND_LINE } from './act.ts'
import type { Cli } from './command.ts'
import { openServers, readAndOpenServers, readWorkspaces, type TrackingServers } from './tracking-servers.ts'

const { GATEWAY_SECRET, ACCESS_TOKEN_MAX_TTL, PUBLIC_URL, ...others } = GatewaySchema.properties
const database = {
  DATABASE_URL: others.DATABASE_URL,
  DATABASE_CA_FILE: others.DATABASE_CA_FILE,
  DATABASE_POOL_SIZE: others.DATABASE_POOL_SIZE,
  DATABASE_CONNECT_TIMEOUT: others.DATABASE_CONNECT_TIMEOUT,
  DATABASE_STATEMENT_TIMEOUT: others.DATABASE_STATEMENT_TIMEOUT,
  REDIS_URL: others.REDIS_URL,
  REDIS_CA_FILE: others.REDIS_CA_FILE,
  ALLOW_PLAINTEXT_DATABASE: others.ALLOW_PLAINTEXT_DATABASE,
}
const StoreVariables = Type.Object(database)
const SecretVariables = Type.Object({ ...database, GATEWAY_SECRET })
const KeyringVariables = Type.Object({ ...database, GATEWAY_SECRET, ACCESS_TOKEN_MAX_TTL })
const TokenVariables = Type.Object({ ...database, GATEWAY_SECRET, ACCESS_TOKEN_MAX_TTL, PUBLIC_URL })

/**
 * Runs `use` with the store the server uses. Needs `DATABASE_URL` and what goes with it only. The server may be running: it follows what is
 * changed here by its feed of changes.
 *
 * @throws {ConfigError}
 */
export async function withStore<T>(cli: Cli, use: (store: Store) => Promise<T>): Promise<T> {
  return openAndUse(cli, databaseOf(cli, readNeeded(cli, StoreVariables)), use)
}

/** The store, and the chain that what is done with it goes on record in. */
export type RecordedStore = Store & { readonly chain: Chain }

/** As {@link withStore}, for what changes something: the record of it is chained, so it needs `GATEWAY_SECRET` too. */
export async function withRecord<T>(cli: Cli, use: (store: RecordedStore) => Promise<T>): Promise<T> {
  const variables = readNeeded(cli, SecretVariables)
  return recordingIn(cli, databaseOf(cli, variables), variables.GATEWAY_SECRET, use)
}

/** As {@link withRecord}, for the store named. @throws {Error} If it was made with another secret. */
export async function recordingIn<T>(
  cli: Cli,
  address: StoreAddress,
  secret: string,
  use: (store: RecordedStore) => Promise<T>,
): Promise<T> {
  return openAndUse(cli, address, async (store) => {
    await assertSecret(store, secret)
    const chain = createChain(createChainKey(secret), `${COMMAND_LINE}@${hostname()}`)
    try {
      return await use({ ...store, chain })
    } finally {
      await store.audit.end(chain)
    }
  })
}

/** As {@link withStore}, with the secret: for what only looks at the chains. */
export async function withSecret<T>(cli: Cli, use: (store: Store, secret: string) => Promise<T>): Promise<T> {
  const variables = readNeeded(cli, SecretVariables)
  return openAndUse(cli, databaseOf(cli, variables), (store) => use(store, variables.GATEWAY_SECRET))
}

/** `GATEWAY_SECRET`, for what can do without it. @throws {ConfigError} If there is one and it cannot be read. */
export function readSecretIfSet(cli: Cli): string | undefined {
  const { GATEWAY_SECRET: given, GATEWAY_SECRET_FILE: file } = cli.env
  return given || file ? readSecret(cli) : undefined
}

/** `GATEWAY_SECRET`, for what needs no store. @throws {ConfigError} */
export function readSecret(cli: Cli): string {
  return readNeeded(cli, Type.Object({ GATEWAY_SECRET })).GATEWAY_SECRET
}

/** As {@link withRecord}, with the signing keys. */
export async function withKeyring<T>(
  cli: Cli,
  use: (keyring: Keyring, store: RecordedStore) => Promise<T>,
): Promise<T> {
  const variables = readNeeded(cli, KeyringVariables)
  return withRecord(cli, async (store) => use(await openKeyring(cli, store, variables), store))
}

/** As {@link withRecord}, able to make access tokens: needs `PUBLIC_URL` too. */
export async function withAccessTokens<T>(
  cli: Cli,
  use: (accessTokens: AccessTokens, store: RecordedStore) => Promise<T>,
): Promise<T> {
  const variables = readNeeded(cli, TokenVariables)
  const faults = createFaultList()
  const publicUrl = readPlainUrl('PUBLIC_URL', variables.PUBLIC_URL, faults)
  if (faults.all().length > 0) throw new ConfigError(faults.all())
  return withRecord(cli, async (store) => {
    const keyring = await openKeyring(cli, store, variables)
    const maxTtl = variables.ACCESS_TOKEN_MAX_TTL
    return use(
      createAccessTokens({ keyring, issuer: ownIssuer(publicUrl), now: cli.now, store, maxTtl }),
      store,
    )
  })
}

/** What answers questions about rights: the store, the tracking server, and the whole configuration. */
export type Gateway = {
  readonly store: Store
  readonly lookup: Lookup
  /** The workspace that `lookup` asks in; absent while none are kept apart. */
  readonly workspace?: string | undefined
  readonly servicesIn: AdminParts['servicesIn']
  readonly config: Config
  /** Seconds since the epoch. */
  readonly now: () => number
}

/** As {@link withStore}, able to ask the tracking server: needs all that the server needs. */
export async function withGateway<T>(cli: Cli, use: (gateway: Gateway) => Promise<T>): Promise<T> {
  const config = readConfig({ ...cli.env })
  const { upstreams: further, upstreamTimeout: idleTimeout } = config
  const servers = openServers(config, { further, idleTimeout })
  const servicesIn = (workspace: WorkspaceName) => {
    const upstream = servers.of(workspace)
    return { upstream, lookup: createLookup({ upstream }) }
  }
  try {
    return await openAndUse(cli, config, (store) =>
      use({ store, lookup: createLookup({ upstream: servers.main }), servicesIn, config, now: cli.now }),
    )
  } finally {
    await servers.close()
  }
}

/**
 * Runs `use` with the tracking servers. Needs `UPSTREAM_URL` and what goes with it, and no store.
 *
 * @throws {ConfigError}
 */
export async function withUpstreams<T>(cli: Cli, use: (servers: TrackingServers) => Promise<T>): Promise<T> {
  const servers = readAndOpenServers(cli)
  try {
    return await use(servers)
  } finally {
    await servers.close()
  }
}

/** What of the configuration decides on what a policy file can do; undefined where no gateway is configured. */
export function policySetting(cli: Cli): PolicySetting | undefined {
  const { env } = cli
  if (!env['OIDC_ISSUER'] && !env['OIDC_PROVIDERS'] && !env['GOOGLE_CLIENT_ID']) return undefined
  const claimOf = (id: string) => {
    if (id === 'google') return undefined
    return (
      env[env['OIDC_PROVIDERS'] ? `OIDC_${id.toUpperCase()}_GROUPS_CLAIM` : 'OIDC_GROUPS_CLAIM'] || undefined
    )
  }
  return {
    workspaces: readWorkspaces(cli),
    providers: providerIds(cli).map((id) => ({ id, groupsClaim: claimOf(id) })),
  }
}

/** Ids of the configured providers, for names that are written without one; as the server derives them. */
export function providerIds({ env }: Cli): readonly string[] {
  const several = (env['OIDC_PROVIDERS'] ?? '')
    .split(',')
    .map((id) => id.trim())
    .filter((id) => id !== '')
  const google = env['GOOGLE_CLIENT_ID'] ? ['google'] : []
  if (several.length > 0) return [...several, ...google]
  return env['OIDC_ISSUER'] || google.length === 0 ? ['oidc', ...google] : google
}

function readNeeded<S extends TObject>({ env, readFile }: Cli, schema: S): Static<S> {
  const faults = createFaultList()
  const variables = readVariables(schema, '', { env, readFile }, faults)
  if (faults.all().length > 0) throw new ConfigError(faults.all())
  return variables
}

function openKeyring(
  { now }: Cli,
  store: Store,
  { GATEWAY_SECRET: secret, ACCESS_TOKEN_MAX_TTL: tokenMaxTtl }: Static<typeof KeyringVariables>,
): Promise<Keyring> {
  return createKeyring({ store, secret, now, tokenMaxTtl })
}

/** The variables that say where the store is. @throws {ConfigError} */
export function readDatabaseVariables(cli: Cli): DatabaseVariables {
  return readNeeded(cli, StoreVariables)
}

/** What opens the store that the variables name. @throws {ConfigError} */
export function databaseOf({ env, readFile }: Cli, variables: DatabaseVariables): StoreAddress {
  const faults = createFaultList()
  const database = readDatabase(variables, { env, readFile }, faults)
  if (faults.all().length > 0) throw new ConfigError(faults.all())
  return database
}

async function openAndUse<T>(
  cli: Cli,
  { databaseUrl, postgres, redis }: StoreAddress,
  use: (store: Store) => Promise<T>,
): Promise<T> {
  // A relative path in another working directory is the usual way to end up with an empty store.
  const path = databaseUrl.replace(/^sqlite:/, '')
  if (databaseUrl !== path && !existsSync(path))
    cli.err(`note: there was no database at ${path}; an empty one is made (DATABASE_URL)\n`)
  const store = await openStore({ databaseUrl, postgres, redis, now: cli.now })
  try {
    return await use(store)
  } finally {
    await store.close()
  }
}

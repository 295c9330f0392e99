import type { DatabaseOptions } from '../store/database.ts'
import { type DatabaseAddress, DatabaseUrlError, parseDatabaseUrl, staysHere } from '../store/database-url.ts'
import type { PostgresSettings } from '../store/postgres-settings.ts'
import type { RedisOptions } from '../store/redis.ts'
import { isLoopback } from './checks.ts'
import type { FaultList } from './fault.ts'
import { readAuthorityFile } from './pem-files.ts'
import type { GatewayVariables } from './schema.ts'
import type { Source } from './variables.ts'

/** The variables that say where the store is and how it is reached. */
export type DatabaseVariables = Pick<
  GatewayVariables,
  | 'DATABASE_URL'
  | 'DATABASE_CA_FILE'
  | 'DATABASE_POOL_SIZE'
  | 'DATABASE_CONNECT_TIMEOUT'
  | 'DATABASE_STATEMENT_TIMEOUT'
  | 'REDIS_URL'
  | 'REDIS_CA_FILE'
  | 'ALLOW_PLAINTEXT_DATABASE'
>

/** Where the store is, and how to reach it. */
export type StoreAddress = Pick<DatabaseOptions, 'databaseUrl'> & {
  readonly postgres: PostgresSettings
  /** Where sessions are, if not in the database. */
  readonly redis: Pick<RedisOptions, 'url' | 'ca'> | undefined
}

/** What opens the store; what is wrong with it becomes a fault. */
export function readDatabase(variables: DatabaseVariables, source: Source, faults: FaultList): StoreAddress {
  const databaseUrl = variables.DATABASE_URL
  const postgres = {
    poolSize: variables.DATABASE_POOL_SIZE,
    connectTimeout: variables.DATABASE_CONNECT_TIMEOUT,
    statementTimeout: variables.DATABASE_STATEMENT_TIMEOUT,
    ca: readAuthorityFile('DATABASE_CA_FILE', variables.DATABASE_CA_FILE, source, faults),
  }
  const address = parseOrFault(databaseUrl, faults)
  if (address !== undefined) checkTransport(address, variables, faults)
  return { databaseUrl, postgres, redis: readRedis(variables, source, faults) }
}

function readRedis(
  { REDIS_URL: url, REDIS_CA_FILE: caFile, ALLOW_PLAINTEXT_DATABASE: isPlaintextAllowed }: DatabaseVariables,
  source: Source,
  faults: FaultList,
): StoreAddress['redis'] {
  const ca = readAuthorityFile('REDIS_CA_FILE', caFile, source, faults)
  if (url === undefined) return undefined
  if (!URL.canParse(url)) {
    faults.add(
      'REDIS_URL',
      'is no URL',
      'Write rediss://:PASSWORD@HOST:6379; escape what is special in a password.',
    )
    return undefined
  }
  const { protocol, hostname } = new URL(url)
  if (protocol === 'redis:' && !isLoopback(hostname) && !isPlaintextAllowed) {
    faults.add(
      'REDIS_URL',
      'sends the password and the sessions in plain text to another machine',
      'Use rediss://. Where that cannot be, ALLOW_PLAINTEXT_DATABASE=true permits it.',
    )
  }
  if (protocol === 'redis:' && ca !== undefined) {
    faults.add(
      'REDIS_CA_FILE',
      'is set, but no certificate is checked with redis://',
      'Use rediss:// in REDIS_URL, or leave REDIS_CA_FILE out.',
    )
  }
  return { url, ca }
}

function parseOrFault(databaseUrl: string, faults: FaultList): DatabaseAddress | undefined {
  try {
    return parseDatabaseUrl(databaseUrl)
  } catch (error) {
    if (!(error instanceof DatabaseUrlError)) throw error
    faults.add('DATABASE_URL', error.problem, error.remedy)
    return undefined
  }
}

function checkTransport(address: DatabaseAddress, variables: DatabaseVariables, faults: FaultList): void {
  if (address.kind === 'sqlite') return
  const { sslMode } = address
  if (sslMode === 'disable' && !staysHere(address) && !variables.ALLOW_PLAINTEXT_DATABASE) {
    faults.add(
      'DATABASE_URL',
      'sends the password and everything kept in plain text to another machine',
      'Use sslmode=verify-full. Where that cannot be, ALLOW_PLAINTEXT_DATABASE=true permits it.',
    )
  }
  if (variables.DATABASE_CA_FILE !== undefined && !sslMode.startsWith('verify')) {
    faults.add(
      'DATABASE_CA_FILE',
      `is set, but no certificate is checked with sslmode=${sslMode}`,
      'Use sslmode=verify-full in DATABASE_URL, or leave DATABASE_CA_FILE out.',
    )
  }
}

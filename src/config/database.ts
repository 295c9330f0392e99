import type { DatabaseOptions } from '../store/database.ts'
import { type DatabaseAddress, DatabaseUrlError, parseDatabaseUrl, staysHere } from '../store/database-url.ts'
import type { PostgresSettings } from '../store/postgres-pool.ts'
import type { FaultList } from './fault.ts'
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
  | 'ALLOW_PLAINTEXT_DATABASE'
>

/** What opens the store; what is wrong with it becomes a fault. */
export function readDatabase(
  variables: DatabaseVariables,
  source: Source,
  faults: FaultList,
): Pick<DatabaseOptions, 'databaseUrl'> & { readonly postgres: PostgresSettings } {
  const databaseUrl = variables.DATABASE_URL
  const postgres = {
    poolSize: variables.DATABASE_POOL_SIZE,
    connectTimeout: variables.DATABASE_CONNECT_TIMEOUT,
    statementTimeout: variables.DATABASE_STATEMENT_TIMEOUT,
    ca: readCertificates(variables.DATABASE_CA_FILE, source, faults),
  }
  const address = parseOrFault(databaseUrl, faults)
  if (address !== undefined) checkTransport(address, variables, faults)
  return { databaseUrl, postgres }
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

function readCertificates(
  path: string | undefined,
  { readFile }: Source,
  faults: FaultList,
): string | undefined {
  if (path === undefined) return undefined
  let text = ''
  try {
    text = readFile(path)
  } catch {
    // As a file without any.
  }
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text
  faults.add(
    'DATABASE_CA_FILE',
    'names no readable file with certificates',
    'Check its path and that it is PEM.',
  )
  return undefined
}

import { isLoopback } from '../config/checks.ts'

/** How a connection to PostgreSQL is protected, in libpq's words; `disable`: not at all. */
export type SslMode = (typeof SSL_MODES)[number]

export type SqliteAddress = { readonly kind: 'sqlite'; readonly path: string }

export type PostgresAddress = {
  readonly kind: 'postgres'
  /** A name, an address without brackets, or the folder of a Unix socket. */
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  readonly password: string | undefined
  readonly sslMode: SslMode
}

export type DatabaseAddress = SqliteAddress | PostgresAddress

const SSL_MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const

const POSTGRES_FORM = 'postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full'

/** A database URL that cannot be used. Holds no part of it: there is a password inside. */
export class DatabaseUrlError extends Error {
  /** What is wrong, to follow the variable's name. */
  readonly problem: string
  /** What to do, as a sentence. */
  readonly remedy: string

  constructor(problem: string, remedy: string) {
    super(`The database URL ${problem}. ${remedy}`)
    this.name = 'DatabaseUrlError'
    this.problem = problem
    this.remedy = remedy
  }
}

/**
 * Reads `sqlite:PATH` or `postgres://...` (also `postgresql://`).
 *
 * Without `sslmode` a server on another machine has to prove its name (`verify-full`); libpq's `prefer`, which takes
 * plain text from whoever offers nothing better, is refused.
 *
 * @throws {DatabaseUrlError}
 */
export function parseDatabaseUrl(databaseUrl: string): DatabaseAddress {
  if (/^postgres(?:ql)?:\/\//.test(databaseUrl)) return parsePostgres(databaseUrl)
  // What is relative and what absolute after `sqlite://` differs from tool to tool.
  const path = /^sqlite:(?!\/\/)(.+)$/.exec(databaseUrl)?.[1]
  if (path === undefined || path === ':memory:') {
    throw new DatabaseUrlError(
      'is not of the form sqlite:PATH or postgres://...',
      `Set it to sqlite:./gateway.db, for example, or to ${POSTGRES_FORM}.`,
    )
  }
  return { kind: 'sqlite', path }
}

/** True if what is sent there does not leave this machine. */
export function staysHere({ host }: PostgresAddress): boolean {
  return host.startsWith('/') || isLoopback(host) || host === '::1'
}

function parsePostgres(databaseUrl: string): PostgresAddress {
  const url = URL.parse(databaseUrl)
  if (url === null || url.hash !== '') {
    throw new DatabaseUrlError(
      'is no URL',
      `Write it as ${POSTGRES_FORM}, with special characters of the password percent-encoded.`,
    )
  }
  const settings = readSettings(url.searchParams)
  const host = settings.get('host') ?? decoded(url.hostname).replace(/^\[|\]$/g, '')
  const address = {
    kind: 'postgres',
    host,
    port: Number(url.port || 5432),
    database: decoded(url.pathname.slice(1)),
    user: decoded(url.username),
    password: decoded(url.password) || undefined,
  } as const
  if (host === '' || address.database === '' || address.user === '' || address.database.includes('/')) {
    throw new DatabaseUrlError('names no host, user or database', `Write it as ${POSTGRES_FORM}.`)
  }
  const sslMode = sslModeOf(settings.get('sslmode'))
  return {
    ...address,
    sslMode: sslMode ?? (staysHere({ ...address, sslMode: 'disable' }) ? 'disable' : 'verify-full'),
  }
}

/** What is not understood is refused: to pass over `sslrootcert` would weaken what somebody meant to be strong. */
function readSettings(parameters: URLSearchParams): ReadonlyMap<string, string> {
  const settings = new Map<string, string>()
  for (const [name, value] of parameters) {
    if (!['sslmode', 'host'].includes(name) || settings.has(name)) {
      throw new DatabaseUrlError(
        'has a parameter that is repeated or not known here',
        'Parameters are sslmode and host (the folder of a Unix socket); DATABASE_CA_FILE names the certificates to trust.',
      )
    }
    settings.set(name, value)
  }
  const folder = settings.get('host')
  if (folder !== undefined && !folder.startsWith('/')) {
    throw new DatabaseUrlError(
      'has a parameter host that is no folder',
      "Write a server's name before the database.",
    )
  }
  return settings
}

function sslModeOf(given: string | undefined): SslMode | undefined {
  const mode = SSL_MODES.find((each) => each === given)
  if (mode !== undefined || given === undefined) return mode
  throw new DatabaseUrlError('has an sslmode that is not supported', `Choose one of ${SSL_MODES.join(', ')}.`)
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new DatabaseUrlError('has a % that encodes nothing', 'Write a % itself as %25.')
  }
}

/** How PostgreSQL is talked to. Times in seconds. */
export type PostgresSettings = {
  /** Most connections for what requests need; two more write audit events, one listens for changes. */
  readonly poolSize: number
  /** For a new connection, and for one of the pool to become free. */
  readonly connectTimeout: number
  readonly statementTimeout: number
  /** Certificates to trust instead of the machine's own, PEM. */
  readonly ca?: string | undefined
}

export const DEFAULT_POSTGRES_SETTINGS: PostgresSettings = {
  poolSize: 10,
  connectTimeout: 5,
  statementTimeout: 10,
}

/** What a store on PostgreSQL needs besides: with its library, so loaded only where there is one. */
export { checkPostgres } from './postgres-check.ts'
export { GatewayPostgresDialect } from './postgres-dialect.ts'
export { listenForChanges } from './postgres-listen.ts'
export { connectionConfig, createPool, type PoolPurpose } from './postgres-pool.ts'

import { GatewayError } from '../errors.ts'

/** A row was refused because of what else is in the store. The message names the rule and holds no value. */
export class ConstraintError extends Error {
  readonly code = 'ERR_CONSTRAINT'
  readonly constraint: 'unique' | 'foreign_key' | 'other'

  constructor(constraint: ConstraintError['constraint'], name: string) {
    super(`The store refused a row (${constraint}): ${name}`)
    this.name = 'ConstraintError'
    this.constraint = constraint
  }
}

/** Trouble with the store; what it was stays in `cause`, for the log. */
export function storeUnavailable(cause: unknown): GatewayError {
  return new GatewayError('ERR_STORE_UNAVAILABLE', 'The gateway cannot reach its store; try again shortly', {
    cause,
  })
}

/**
 * PostgreSQL cannot keep a NUL in a text, SQLite can: nothing is kept with one, so that a store can move between them.
 *
 * @throws {GatewayError} `ERR_INVALID_PARAMETER`
 */
export function assertStorable(parameters: readonly unknown[]): void {
  for (const value of parameters) {
    if (typeof value === 'string' && value.includes('\0'))
      throw new GatewayError('ERR_INVALID_PARAMETER', 'A text holds a NUL character: leave it out')
  }
}

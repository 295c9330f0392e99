/** MLflow's own levels (mlflow/server/auth/permissions.py, 3.17.2). `DENY` outweighs every other grant. */
export type Level = 'READ' | 'USE' | 'EDIT' | 'MANAGE' | 'DENY' | 'NO_PERMISSIONS'

/** What an operation does with a resource; each asks for one level, see `decide.ts`. */
export type Action = 'read' | 'use' | 'update' | 'delete' | 'manage' | 'create'

/** Resource types that carry grants. Runs, artifacts and logged models inherit from their experiment. */
export type ResourceType = 'experiment' | 'registered_model' | 'prompt'

/**
 * How a grant's pattern is read. `exact` compares with the grant key (an experiment's id, a model's name) byte by
 * byte; `name` is a glob over the name (`*` matches any run of characters, `/` included); `any` covers all.
 * Kept apart from the pattern, so that a model called `*` is only ever that model.
 */
export type Match = 'exact' | 'name' | 'any'

/** A level on a resource, as a role holds it. */
export type Grant = {
  readonly resourceType: ResourceType
  readonly match: Match
  readonly pattern: string
  readonly level: Level
  /** Seconds since the epoch; absent for a grant that does not expire. */
  readonly expiresAt?: number | undefined
}

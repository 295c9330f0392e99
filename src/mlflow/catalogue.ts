import { AI_GATEWAY } from './catalogue/ai-gateway.ts'
import { ARTIFACTS } from './catalogue/artifacts.ts'
import { ASSISTANT_ROWS } from './catalogue/assistant.ts'
import { DATASETS } from './catalogue/datasets.ts'
import { INTERFACE } from './catalogue/interface.ts'
import { JOBS } from './catalogue/jobs.ts'
import { LEGACY } from './catalogue/legacy.ts'
import { MCP_SERVERS } from './catalogue/mcp-servers.ts'
import { REGISTRY } from './catalogue/registry.ts'
import { REVIEWS } from './catalogue/reviews.ts'
import { SERVER_ROWS } from './catalogue/server.ts'
import { TRACES } from './catalogue/traces.ts'
import { TRACKING } from './catalogue/tracking.ts'
import type { Operation } from './operation.ts'
import { since } from './row.ts'

/**
 * Every operation of MLflow 2.22.5, 3.1.4, 3.10.1 and 3.17.2, one row each: the only list of routes in the project. What
 * has no row does not exist (404), and a row without needs cannot be written. A row says which versions serve it.
 */
export const CATALOGUE: readonly Operation[] = [
  ...INTERFACE,
  ...TRACKING,
  ...TRACES,
  ...ARTIFACTS,
  ...REGISTRY,
  ...since('3.10.1', DATASETS),
  ...since('3.10.1', JOBS),
  ...since('3.17.2', REVIEWS),
  ...since('3.10.1', AI_GATEWAY),
  ...since('3.17.2', MCP_SERVERS),
  ...since('3.10.1', SERVER_ROWS),
  ...since('3.10.1', ASSISTANT_ROWS),
  ...LEGACY,
]

const BY_NAME: ReadonlyMap<string, Operation> = new Map(
  CATALOGUE.map((operation) => [operation.name, operation]),
)

/** @throws {Error} If the catalogue has no such row: a mistake in the catalogue, never in a request. */
export function operationNamed(name: string): Operation {
  const operation = BY_NAME.get(name)
  if (operation === undefined) throw new Error(`The catalogue has no row ${name}`)
  return operation
}

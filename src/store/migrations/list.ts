import type { Migration } from 'kysely/migration'
import { initial } from './0001-initial.ts'
import { publicIds } from './0002-public-ids.ts'
import { jobs } from './0003-jobs.ts'
import { accessRequests } from './0004-access-requests.ts'
import { incidents } from './0005-incidents.ts'
import { requestWorkspaces } from './0006-request-workspaces.ts'
import { changeSignal } from './0007-change-signal.ts'
import { accessAnswers } from './0008-access-answers.ts'
import { scale } from './0009-scale.ts'
import { providerLogout } from './0010-provider-logout.ts'

export { CHANGES_CHANNEL } from './0007-change-signal.ts'

/** What differs between databases in a table's definition: how a counting primary key is spelled, and who hears of a row. */
export type ColumnDialect = 'sqlite' | 'postgres'

/** Every step of the schema by name; they run in the order of their names, each once. A step is never edited later. */
export function migrations(dialect: ColumnDialect): Record<string, Migration> {
  return {
    '0001-initial': initial(dialect),
    '0002-public-ids': publicIds(dialect),
    '0003-jobs': jobs,
    '0004-access-requests': accessRequests,
    '0005-incidents': incidents,
    '0006-request-workspaces': requestWorkspaces,
    '0007-change-signal': changeSignal(dialect),
    '0008-access-answers': accessAnswers,
    '0009-scale': scale,
    '0010-provider-logout': providerLogout,
  }
}

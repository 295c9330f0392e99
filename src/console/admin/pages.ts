import type { Endpoint } from '../../admin/endpoint.ts'
import { accessPage } from './access-pages.ts'
import { auditPage } from './audit-page.ts'
import { explainPage } from './explain-page.ts'
import { groupsPage } from './group-pages.ts'
import { overviewPage, ownAccessPage } from './own-pages.ts'
import { peoplePage, personPage } from './people-pages.ts'
import { requestsPage } from './request-pages.ts'
import { rolePage, rolesPage } from './role-pages.ts'
import type { View } from './view.ts'

/** One page of the console. */
export type PageRoute = {
  readonly path: `/${string}`
  readonly who: Endpoint['who']
  readonly view: (view: View) => Promise<string>
}

/** Every page of the console, and one's own. */
export const PAGES: readonly PageRoute[] = [
  { path: '/auth/access', who: 'signed_in', view: ownAccessPage },
  { path: '/auth/admin', who: 'admin', view: overviewPage },
  { path: '/auth/admin/people', who: 'admin', view: peoplePage },
  { path: '/auth/admin/people/:id', who: 'admin', view: personPage },
  { path: '/auth/admin/groups', who: 'admin', view: groupsPage },
  { path: '/auth/admin/roles', who: 'workspace_admin', view: rolesPage },
  { path: '/auth/admin/roles/:id', who: 'workspace_admin', view: rolePage },
  { path: '/auth/admin/access', who: 'workspace_admin', view: accessPage },
  { path: '/auth/admin/requests', who: 'admin', view: requestsPage },
  { path: '/auth/admin/audit', who: 'admin', view: auditPage },
  { path: '/auth/admin/explain', who: 'workspace_admin', view: explainPage },
]

import type { Endpoint } from './endpoint.ts'
import { ACCESS_ENDPOINTS } from './endpoints/access.ts'
import { AUDIT_ENDPOINTS } from './endpoints/audit.ts'
import { CREDENTIAL_ENDPOINTS } from './endpoints/credentials.ts'
import { EXPLAIN_ENDPOINTS } from './endpoints/explain.ts'
import { GRANT_ENDPOINTS } from './endpoints/grants.ts'
import { GROUP_ENDPOINTS } from './endpoints/groups.ts'
import { INCIDENT_ENDPOINTS } from './endpoints/incidents.ts'
import { OVERVIEW_ENDPOINTS } from './endpoints/overview.ts'
import { OWN_ENDPOINTS } from './endpoints/own.ts'
import { PEOPLE_ENDPOINTS } from './endpoints/people.ts'
import { REQUEST_ENDPOINTS } from './endpoints/requests.ts'
import { ROLE_ENDPOINTS } from './endpoints/roles.ts'

/** The JSON API under `/auth/api/v1`: one entry an operation. */
export const ENDPOINTS: readonly Endpoint[] = [
  ...OWN_ENDPOINTS,
  ...OVERVIEW_ENDPOINTS,
  ...PEOPLE_ENDPOINTS,
  ...CREDENTIAL_ENDPOINTS,
  ...ROLE_ENDPOINTS,
  ...GROUP_ENDPOINTS,
  ...ACCESS_ENDPOINTS,
  ...EXPLAIN_ENDPOINTS,
  ...GRANT_ENDPOINTS,
  ...AUDIT_ENDPOINTS,
  ...REQUEST_ENDPOINTS,
  ...INCIDENT_ENDPOINTS,
]

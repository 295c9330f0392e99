import { probeId } from '../population/probes.ts'
import type { Callers, Credential } from './callers.ts'

/** An address that is asked for, by whom and why. */
export type Page = {
  readonly what: string
  readonly path: string
  readonly as: Credential
}

const LATE = 'tess.novak'
const NOBODY = 'zzzqqq'

/** Pages of the console for an administrator: first ones, late ones, and searches that find nothing. */
const ADMIN_PAGES: readonly (readonly [what: string, path: string])[] = [
  ['overview', ''],
  ['people, first', '/people'],
  ['people, late', `/people?after=${LATE}`],
  ['people, one found', '/people?search=probe-patterns'],
  ['people, many found', '/people?search=novak'],
  ['people, everybody found', '/people?search=example.com'],
  ['people, nobody found', `/people?search=${NOBODY}`],
  ['people, nobody by two letters', '/people?search=qz'],
  ['person with 1,000 grants', `/people/${probeId('1000')}`],
  ['person with 10,000 patterns', `/people/${probeId('patterns')}`],
  ['roles, first', '/roles'],
  ['roles, late', '/roles?after=role-09900'],
  ['roles, none found', `/roles?search=${NOBODY}`],
  ['role of 10,000 patterns', `/roles/role-${probeId('patterns')}`],
  ['groups, first', '/groups'],
  ['groups, late', '/groups?after=oidc:5-people-9990'],
  ['groups, none found', `/groups?search=${NOBODY}`],
  ['group of 10,000 people', '/groups?provider=oidc&name=10000-people-0'],
  ['access, picture', '/access'],
  ['access, picture, late', `/access?after=${LATE}`],
  ['access, picture, nobody found', `/access?search=${NOBODY}`],
  ['access to an experiment', '/access?resource_type=experiment&key=1'],
  ['access to an experiment, late', `/access?resource_type=experiment&key=1&after=${LATE}`],
  ['access to a model', '/access?resource_type=registered_model&key=registered_model-77'],
  ['requests', '/requests'],
  ['audit, day', '/audit'],
  ['audit, month', '/audit?range=month'],
  ['audit, month, one person', '/audit?range=month&user=probe-owner'],
  ['audit, month, denied', '/audit?range=month&effect=deny'],
  ['audit, month, a family', '/audit?range=month&operation=experiments'],
  ['audit, month, no such reason', `/audit?range=month&reason=${NOBODY}`],
  ['audit, month, late', '/audit?range=month&before=2000'],
  ['explain', `/explain?username=probe-patterns&operation=experiments.get&experiment=1`],
]

/** The lists of the JSON API, as an administrator asks for them. */
const ADMIN_LISTS: readonly string[] = [
  '/people?limit=500',
  `/people?after=${LATE}&limit=500`,
  `/people?search=${NOBODY}`,
  `/people/${probeId('patterns')}`,
  `/people/${probeId('1000')}/tokens`,
  `/people/${probeId('1000')}/sessions`,
  '/roles',
  '/roles?after=role-09900',
  `/roles/role-${probeId('patterns')}`,
  '/groups',
  '/access?resource_type=experiment&key=1&limit=500',
  '/access?resource_type=prompt&key=no-such-prompt',
  '/access/matrix',
  '/requests',
  '/audit?limit=500',
  `/audit?user=${NOBODY}`,
  `/audit?user=probe-owner&effect=deny`,
  '/audit/counts?span=86400',
  `/audit/counts?span=86400&user=${NOBODY}`,
]

/** What people see of their own, and who manages one experiment of it. */
const OWN_LISTS: readonly string[] = [
  '/me',
  '/me/access',
  '/me/sessions',
  '/requests',
  '/requests?mine=true',
  '/access?resource_type=experiment&key=1',
]

/** Every console page and every list of the JSON API. */
export function pagesFor(callers: Callers): readonly Page[] {
  const admin = callers.browser('admin')
  const own = (probe: string): readonly Page[] => [
    {
      what: `page /auth/access, probe-${probe}`,
      ...{ path: '/auth/access', as: callers.browser(probe) },
    },
    ...OWN_LISTS.map((path) => ({
      what: `api ${path}, probe-${probe}`,
      ...{ path: `/auth/api/v1${path}`, as: callers.script(probe) },
    })),
  ]
  return [
    ...ADMIN_PAGES.map(([what, path]) => ({ what: `page ${what}`, path: `/auth/admin${path}`, as: admin })),
    ...ADMIN_LISTS.map((path) => ({
      ...{ what: `api ${path}`, path: `/auth/api/v1${path}`, as: callers.script('admin') },
    })),
    ...own('owner'),
    ...own('1000').filter(({ path }) => !path.includes('/access?')),
  ]
}

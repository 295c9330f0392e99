import { qualifyName } from '../config/qualified-name.ts'
import { createLookup } from '../mlflow/lookup.ts'
import { invalidAnswer, isObject } from '../mlflow/lookup-answer.ts'
import { resourceByKey } from '../mlflow/resource-by-key.ts'
import type { Upstream } from '../mlflow/upstream.ts'
import { compileGlob } from '../policy/glob.ts'
import { DEFAULT_WORKSPACE, describeGrant, type Grant, type ResourceType } from '../policy/grants.ts'
import type { PolicyFile } from '../policy/policy-file.ts'
import { located, type Placed, type PolicyFinding } from '../policy/policy-findings.ts'
import { isPlace, type WorkspaceConfig } from '../policy/workspace-name.ts'
import type { Store } from '../store/store.ts'

type Ask = Upstream['getJson']

/** Rows asked for at once, and how many times at most: what lies beyond is not looked at, and then no pattern is reported. */
const PAGE = 1000
const MOST_PAGES = 100

/** Roles that somebody holds by hand, or by what was written by hand about a group or name. */
export async function heldByHand({ roles }: Pick<Store, 'roles'>): Promise<ReadonlySet<string>> {
  const byHand = ({ source }: { readonly source: string }) => source !== 'policy'
  const held = (await roles.rules()).roles.filter(
    ({ people, groups, names }) => people.length > 0 || groups.some(byHand) || names.some(byHand),
  )
  return new Set(held.map(({ name }) => name))
}

/** Users and groups of the file that nobody has signed in as, or in. */
export async function strangersIn(
  file: PolicyFile,
  { store, providerIds }: { readonly store: Pick<Store, 'roles'>; readonly providerIds: readonly string[] },
): Promise<readonly PolicyFinding[]> {
  const placed: Placed[] = []
  for (const kind of ['groups', 'users'] as const) {
    for (const entry of Object.keys(file.document[kind] ?? {})) {
      const qualified = qualifyName(entry, providerIds)
      if ('problem' in qualified) continue
      const colon = qualified.name.indexOf(':')
      const wanted = { provider: qualified.name.slice(0, colon), name: qualified.name.slice(colon + 1) }
      const known = await store.roles.namedSo({ groups: [], users: [], [kind]: [wanted] })
      if (known.size > 0) continue
      const problem =
        kind === 'users'
          ? 'is somebody who has never signed in'
          : 'is a group that nobody who has signed in is in'
      placed.push({
        path: [kind, entry],
        problem,
        remedy: 'Check how the provider writes it, upper and lower case too; else it waits for them.',
      })
    }
  }
  return located(file, placed)
}

type Options = {
  /** The tracking server, asked about one workspace. */
  readonly upstreamIn: (workspace: string) => Pick<Upstream, 'getJson'>
  readonly workspaces: WorkspaceConfig
  /** Told what is being looked at, a line each. */
  readonly onProgress: (line: string) => void
}

/**
 * Ids and names of the file's grants that nothing on the tracking server has: experiments and registered models by pattern
 * too, other kinds by id.
 *
 * @throws {GatewayError} `ERR_UPSTREAM_*` if MLflow gives no usable answer.
 */
export async function unmatchedIn(file: PolicyFile, options: Options): Promise<readonly PolicyFinding[]> {
  const placed: Placed[] = []
  const places = new Map<string, Place>()
  for (const [role, { workspace = DEFAULT_WORKSPACE, grants }] of file.content.roles.entries()) {
    // A role of a workspace that cannot be has no effect, which is a finding of its own; of several, one is enough to match.
    if (!isPlace(workspace, options.workspaces)) continue
    const place = places.get(workspace) ?? createPlace(workspace, options)
    places.set(workspace, place)
    for (const [index, grant] of grants.entries()) {
      if (await place.has(grant)) continue
      placed.push({
        path: ['roles', role, 'grants', index],
        problem: `matches nothing on the tracking server: ${describeGrant(grant)}`,
        remedy: 'Check its spelling; leave it if what it is for is yet to come.',
      })
    }
  }
  return located(file, placed)
}

type Place = { readonly has: (grant: Grant) => Promise<boolean> }

/** What there is in one workspace, asked for when first needed. */
function createPlace(workspace: string, { upstreamIn, onProgress }: Options): Place {
  const upstream = upstreamIn(workspace)
  const ask: Ask = (target) => upstream.getJson(target)
  const lookup = createLookup({ upstream })
  const lists = new Map<string, Promise<readonly string[] | undefined>>()
  const names = (type: Listed) => {
    const known = lists.get(type) ?? namesOf(type, ask, onProgress)
    lists.set(type, known)
    return known
  }
  return {
    has: async ({ resourceType, match, pattern }) => {
      if (match === 'exact') {
        const type = resourceType as ResourceType
        const found = await resourceByKey(type, pattern, { lookup, access: { needsName: () => true } })
        return found.key !== undefined
      }
      if (match === 'any' || !isListed(resourceType)) return true
      const matches = compileGlob(pattern)
      return (await names(resourceType))?.some(matches) ?? true
    },
  }
}

const LISTS = {
  experiment: { path: 'experiments/search', rows: 'experiments' },
  registered_model: { path: 'registered-models/search', rows: 'registered_models' },
} as const
type Listed = keyof typeof LISTS

function isListed(type: string): type is Listed {
  return Object.hasOwn(LISTS, type)
}

/** Every name of a kind; `undefined` if there are more than are looked at. */
async function namesOf(
  type: Listed,
  ask: Ask,
  onProgress: (line: string) => void,
): Promise<readonly string[] | undefined> {
  const { path, rows } = LISTS[type]
  const names: string[] = []
  let token = ''
  for (let page = 0; page < MOST_PAGES; page++) {
    const query = new URLSearchParams({
      max_results: String(PAGE),
      ...(token === '' ? {} : { page_token: token }),
    })
    const { status, body } = await ask(`/api/2.0/mlflow/${path}?${query}`)
    if (status !== 200 || !isObject(body)) throw invalidAnswer(`${path} answered ${status}`)
    const found: unknown[] = Array.isArray(body[rows]) ? body[rows] : []
    names.push(
      ...found.flatMap((row) => (isObject(row) && typeof row['name'] === 'string' ? row['name'] : [])),
    )
    onProgress(`looked at ${names.length} ${rows.replace('_', ' ')}`)
    token = typeof body['next_page_token'] === 'string' ? body['next_page_token'] : ''
    if (token === '') return names
  }
  onProgress(`there are more ${rows.replace('_', ' ')} than are looked at: patterns on them are not judged`)
  return undefined
}

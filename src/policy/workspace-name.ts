import { DEFAULT_WORKSPACE } from './grants.ts'

/**
 * Where a grant counts, as one name. A workspace of the tracking server at `UPSTREAM_URL` goes by MLflow's own name; one of
 * a further tracking server (`UPSTREAMS`) has its id before it, `staging/team`; with an asterisk there it is that workspace on
 * each of them, the one at `UPSTREAM_URL` too.
 * A tracking server that keeps no workspaces apart is its default one, `staging/default`.
 */
export type WorkspaceName = string

/** Which tracking servers there are besides the one at `UPSTREAM_URL`, and which of all keep workspaces apart. */
export type WorkspaceConfig = {
  readonly workspaces: boolean
  readonly upstreams: readonly { readonly id: string; readonly workspaces: boolean }[]
}

/** In place of an id: all of them. */
const EVERY = '*'

/** MLflow's names (`WorkspaceNameValidator`, 3.17.2): each in one spelling. */
const NAME = /^(?=.{2,63}$)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/

/** Ids of further tracking servers. */
export const UPSTREAM_ID = '[a-z][a-z0-9]{0,31}'

/** Characters of the longest name. */
export const LONGEST_WORKSPACE = 63 + 1 + 32

/** True for what can be the name of a workspace to MLflow. */
export function isWorkspaceName(name: string): boolean {
  return NAME.test(name)
}

/** @param upstream The id of a further tracking server, or undefined. */
export function workspaceOn(upstream: string | undefined, workspace: string): WorkspaceName {
  return upstream === undefined ? workspace : `${upstream}/${workspace}`
}

export type PlacedWorkspace = {
  /** The id of a further tracking server, or undefined. */
  readonly upstream: string | undefined
  /** As MLflow has it. */
  readonly workspace: string
}

export function placeOf(name: WorkspaceName): PlacedWorkspace {
  const slash = name.indexOf('/')
  return slash === -1
    ? { upstream: undefined, workspace: name }
    : { upstream: name.slice(0, slash), workspace: name.slice(slash + 1) }
}

/** True where everybody who is signed in may go, whether they hold something there or not. */
export function isDefault(name: WorkspaceName): boolean {
  return placeOf(name).workspace === DEFAULT_WORKSPACE
}

/** Names that grants which count in a workspace may have. */
export function namesFor(name: WorkspaceName): readonly WorkspaceName[] {
  return [name, workspaceOn(EVERY, placeOf(name).workspace)]
}

/** The workspaces that a name stands for: several, where it is of every tracking server. */
export function placesNamed(
  name: WorkspaceName,
  upstreams: readonly { readonly id: string }[],
): readonly WorkspaceName[] {
  const { upstream, workspace } = placeOf(name)
  if (upstream !== EVERY) return [name]
  return [workspace, ...upstreams.map(({ id }) => workspaceOn(id, workspace))]
}

/** True for what counts in a workspace of that tracking server. */
export function countsOn(server: string | undefined, name: WorkspaceName): boolean {
  const { upstream } = placeOf(name)
  return upstream === server || upstream === EVERY
}

/** True if what counts in a workspace has to say which. */
export function keepsWorkspacesApart({ workspaces, upstreams }: WorkspaceConfig): boolean {
  return workspaces || upstreams.length > 0
}

/** True for a workspace that there can be here. */
export function isPlace(name: WorkspaceName, config: WorkspaceConfig): boolean {
  const { upstream, workspace } = placeOf(name)
  const server = upstream === undefined ? config : config.upstreams.find(({ id }) => id === upstream)
  if (server === undefined) return false
  return workspace === DEFAULT_WORKSPACE || (server.workspaces && isWorkspaceName(workspace))
}

/** As {@link isPlace}, and for what stands for several. */
export function isPlaceOrPlaces(name: WorkspaceName, config: WorkspaceConfig): boolean {
  if (config.upstreams.length === 0) return isPlace(name, config)
  return placesNamed(name, config.upstreams).some((each) => isPlace(each, config))
}

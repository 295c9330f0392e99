import type { IncomingMessage } from 'node:http'
import { LRUCache } from 'lru-cache'
import { GatewayError } from '../errors.ts'
import { type Caller, enter } from '../identity/caller.ts'
import { DEFAULT_WORKSPACE } from '../policy/grants.ts'
import { isWorkspaceName, placeOf, type WorkspaceName, workspaceOn } from '../policy/workspace-name.ts'
import type { Roles } from '../store/roles.ts'
import type { Services } from './exchange.ts'
import type { Lookup } from './lookup.ts'
import type { PageTokens } from './page-token.ts'
import type { Upstream, UpstreamRequest } from './upstream.ts'

/** Says which workspace a request is about; MLflow believes whatever it says (`WORKSPACE_HEADER_NAME`, 3.17.2). */
const HEADER = 'x-mlflow-workspace'

/** Workspaces that are kept ready; what is heard of the others is asked again. */
const MOST_READY = 200

/** Where a request goes: what every step uses there, and the caller with what they may do there. */
export type Place = { readonly services: Services; readonly caller: Caller }

export type Workspaces = {
  /**
   * The workspace that a request names, the default one if none; undefined for the only one there is.
   *
   * @throws {GatewayError} `ERR_INVALID_PARAMETER` for what is no name, or any while workspaces are off;
   *   `ERR_AMBIGUOUS_REQUEST` for several.
   */
  readonly named: (request: IncomingMessage) => WorkspaceName | undefined
  /**
   * Takes a caller to a workspace; everywhere, if it is undefined.
   *
   * @throws {GatewayError} `ERR_PERMISSION_DENIED` (reason `no_such_membership`) for one that the caller holds nothing in,
   *   whether there is one of that name or not.
   */
  readonly enter: (workspace: WorkspaceName | undefined, caller: Caller) => Place
  /** What is used there, whoever asks; everywhere, if it is undefined. The workspace is one of this tracking server. */
  readonly services: (workspace: WorkspaceName | undefined) => Services
  /** What may have changed is forgotten wherever it was heard of. */
  readonly forget: Lookup['forget']
  /** Entries kept of each kind, over all workspaces. */
  readonly sizes: Lookup['sizes']
}

type Options = {
  /** The id of a further tracking server, or undefined. */
  readonly upstream: string | undefined
  /** Whether the tracking server keeps workspaces apart. */
  readonly isOn: boolean
  /** As they are without workspaces. */
  readonly services: Services
  readonly createLookup: (upstream: Upstream) => Lookup
}

/** Keeps workspaces apart: what is sent, heard, granted and paged through in one is of no use in another. */
export function createWorkspaces({ upstream, isOn, services, createLookup }: Options): Workspaces {
  const ready = new LRUCache<WorkspaceName, Services>({ max: MOST_READY })
  const servicesIn = (workspace: WorkspaceName): Services => {
    if (upstream === undefined && !isOn) return services
    const known = ready.get(workspace)
    if (known !== undefined) return known
    const made = placed(services, workspace, isOn ? createLookup : undefined)
    ready.set(workspace, made)
    return made
  }
  return {
    named: (request) => {
      const workspace = readWorkspace(request, isOn)
      return isOn || upstream !== undefined ? workspaceOn(upstream, workspace) : undefined
    },
    enter: (workspace, caller) => {
      if (workspace === undefined) return { services, caller }
      const placed = enter(workspace, caller)
      if (placed === undefined) throw notAMember(workspace)
      return { services: servicesIn(workspace), caller: placed }
    },
    services: (workspace) => (workspace === undefined ? services : servicesIn(workspace)),
    forget: (kind, key) => {
      services.lookup.forget(kind, key)
      for (const each of ready.values()) each.lookup.forget(kind, key)
    },
    sizes: () => {
      const sums: Record<string, number> = { ...services.lookup.sizes() }
      for (const { lookup } of ready.values()) {
        for (const [kind, size] of Object.entries(lookup.sizes())) sums[kind] = (sums[kind] ?? 0) + size
      }
      return sums
    },
  }
}

/** The name in the header; MLflow takes the first of several, and trims it. */
function readWorkspace({ rawHeaders }: IncomingMessage, isOn: boolean): string {
  let found: string | undefined
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.length !== HEADER.length || rawHeaders[i]?.toLowerCase() !== HEADER) continue
    if (found !== undefined)
      throw new GatewayError('ERR_AMBIGUOUS_REQUEST', 'X-MLFLOW-WORKSPACE is sent more than once')
    found = rawHeaders[i + 1] ?? ''
  }
  const name = found?.trim() ?? ''
  if (name === '') return DEFAULT_WORKSPACE
  if (!isOn) {
    const message =
      'This gateway keeps no workspaces apart; send no X-MLFLOW-WORKSPACE, and call no mlflow.set_workspace'
    throw new GatewayError('ERR_INVALID_PARAMETER', message, { reason: 'workspaces_off' })
  }
  if (!isWorkspaceName(name)) {
    const message =
      'X-MLFLOW-WORKSPACE is no name of a workspace: 2 to 63 lower-case letters, digits and inner hyphens are expected'
    throw new GatewayError('ERR_INVALID_PARAMETER', message)
  }
  return name
}

/** The refusal of a workspace that somebody holds nothing in. */
export function notAMember(workspace: string): GatewayError {
  const message = `Permission denied: you hold nothing in the workspace ${workspace}; ask an administrator for a role in it`
  return new GatewayError('ERR_PERMISSION_DENIED', message, { reason: 'no_such_membership' })
}

/** @param createLookup Undefined where the tracking server has but one workspace: then it is told of none. */
function placed(
  services: Services,
  workspace: WorkspaceName,
  createLookup: Options['createLookup'] | undefined,
): Services {
  const to = (upstream: Upstream) => (createLookup === undefined ? upstream : sentTo(upstream, workspace))
  const upstream = to(services.upstream)
  return {
    ...services,
    workspace,
    upstream,
    transferUpstream: to(services.transferUpstream),
    artifactUpstream: to(services.artifactUpstream),
    lookup: createLookup?.(upstream) ?? services.lookup,
    pageTokens: tokensOf(services.pageTokens, workspace),
    effects: { ...services.effects, roles: rolesIn(services.effects.roles, workspace) },
  }
}

/** The same upstream, told each time which workspace it is about. The header is ours: none of a client's is forwarded (`headers.ts`). */
export function sentTo(upstream: Upstream, name: WorkspaceName): Upstream {
  const { workspace } = placeOf(name)
  const own = (request: UpstreamRequest): UpstreamRequest => ({
    ...request,
    headers: [...request.headers, HEADER, workspace],
  })
  return {
    getJson: (target, headers = []) => upstream.getJson(target, [...headers, HEADER, workspace]),
    send: (request, client) => upstream.send(own(request), client),
    pipe: (request, response, addHeaders) => upstream.pipe(own(request), response, addHeaders),
    close: () => upstream.close(),
  }
}

function tokensOf(tokens: PageTokens, workspace: WorkspaceName): PageTokens {
  const bound = (context: string) => JSON.stringify([workspace, context])
  return {
    seal: (position, context) => tokens.seal(position, bound(context)),
    open: (token, context) => tokens.open(token, bound(context)),
  }
}

/** What is granted for something in a workspace counts there. */
function rolesIn(roles: Roles, workspace: WorkspaceName): Roles {
  const { carry } = roles
  const { upstream } = placeOf(workspace)
  return {
    ...roles,
    grant: (roleId, grant) => roles.grant(roleId, { ...grant, workspace }),
    carry: {
      renameResource: (type, from, to) => carry.renameResource(type, from, to, workspace),
      forgetResource: (type, key) => carry.forgetResource(type, key, workspace),
      forgetCreators: (type, key) => carry.forgetCreators(type, key, workspace),
      forgetWorkspace: (name) => carry.forgetWorkspace(workspaceOn(upstream, name)),
    },
  }
}

import { qualifyName } from '../config/qualified-name.ts'
import { satisfies } from './access.ts'
import { isWithin } from './glob.ts'
import { DEFAULT_WORKSPACE, describeGrant, type Grant } from './grants.ts'
import type { Path, PolicyFault } from './policy-document.ts'
import type { PolicyFile } from './policy-file.ts'
import { isPlaceOrPlaces, placeOf, type WorkspaceConfig, type WorkspaceName } from './workspace-name.ts'

/** Something in a file in order that does nothing, or not what it looks like; told like a fault. */
export type PolicyFinding = PolicyFault

/** What of the configuration decides on what a file can do. */
export type PolicySetting = {
  readonly providers: readonly { readonly id: string; readonly groupsClaim?: string | undefined }[]
  readonly workspaces: WorkspaceConfig
}

export type FindingsContext = {
  /** Absent where nothing is known of the gateway that the file is for: what depends on it is not judged. */
  readonly setting?: PolicySetting | undefined
  /** Seconds since the epoch. */
  readonly now: number
  /** Roles that somebody holds by hand in the store the file is for; none if it was not asked. */
  readonly heldByHand?: ReadonlySet<string> | undefined
}

/** A finding by its place in the file's structure. */
export type Placed = { readonly path: Path; readonly problem: string; readonly remedy: string }

/**
 * What in the file has no effect, in the order of its lines. Only what follows from the file and the configuration: whether
 * one pattern covers another is answered where it can be proved.
 */
export function findingsOf(file: PolicyFile, context: FindingsContext): readonly PolicyFinding[] {
  const placed = [
    ...idleRoles(file, context),
    ...idleGrants(file, context.now),
    ...outsideWorkspaces(file, context),
    ...groupsUnheardOf(file, context),
  ]
  return located(file, placed)
}

/** Findings with their lines, in the order of those. */
export function located(file: PolicyFile, placed: readonly Placed[]): readonly PolicyFinding[] {
  return placed
    .map(({ path, problem, remedy }) => ({ ...file.at(path), problem, remedy }))
    .toSorted((a, b) => a.line - b.line)
}

function idleRoles({ content }: PolicyFile, { heldByHand }: FindingsContext): readonly Placed[] {
  const held = new Set([...content.groups, ...content.users].map(({ role }) => role))
  return content.roles.flatMap(({ name }, index) => {
    if (held.has(name) || heldByHand?.has(name)) return []
    const remedy = 'Give it to somebody under groups or users, or remove it.'
    return { path: ['roles', index, 'name'], problem: `is ${name}, which nobody holds`, remedy }
  })
}

function idleGrants({ content }: PolicyFile, now: number): readonly Placed[] {
  return content.roles.flatMap(({ grants }, role) =>
    grants.flatMap((grant, index) => {
      const path = ['roles', role, 'grants', index]
      if (endOf(grant) <= now) {
        const problem = `has expired at ${new Date(endOf(grant) * 1000).toISOString()}`
        return { path: [...path, 'expires'], problem, remedy: 'Remove the grant, or give it another end.' }
      }
      const idle = idleBy(grant, index, grants, now)
      return idle === undefined ? [] : { path, ...idle }
    }),
  )
}

/** Why a grant says nothing beside the others of its role. */
function idleBy(
  grant: Grant,
  index: number,
  grants: readonly Grant[],
  now: number,
): Omit<Placed, 'path'> | undefined {
  const others = grants.filter(
    (other, at) =>
      at !== index && endOf(other) > now && endOf(other) >= endOf(grant) && coversAll(other, grant),
  )
  if (grant.level !== 'DENY') {
    const denial = others.find(({ level }) => level === 'DENY')
    if (denial !== undefined) {
      const problem = `is always outweighed by ${describeGrant(denial)} in the same role`
      return { problem, remedy: 'Remove it, or narrow the DENY.' }
    }
  }
  const enough = others.find(
    (other) =>
      (grant.level === 'DENY' ? other.level === 'DENY' : satisfies(other.level, grant.level)) &&
      // Of two that say the same, the later one is too much.
      !(saysTheSame(other, grant) && grants.indexOf(other) > index),
  )
  if (enough === undefined) return undefined
  return { problem: `says no more than ${describeGrant(enough)} in the same role`, remedy: 'Remove it.' }
}

function endOf({ expiresAt }: Grant): number {
  return expiresAt ?? Number.POSITIVE_INFINITY
}

function saysTheSame(a: Grant, b: Grant): boolean {
  return a.level === b.level && endOf(a) === endOf(b) && coversAll(a, b) && coversAll(b, a)
}

/** True if `wide` is on everything that `narrow` is on. Ids and names are different things: one says nothing of the other. */
function coversAll(wide: Grant, narrow: Grant): boolean {
  if (wide.resourceType !== narrow.resourceType) return false
  if (wide.match === 'any') return true
  if (wide.match !== narrow.match) return false
  return wide.match === 'exact' ? wide.pattern === narrow.pattern : isWithin(narrow.pattern, wide.pattern)
}

function outsideWorkspaces({ content }: PolicyFile, { setting }: FindingsContext): readonly Placed[] {
  if (setting === undefined) return []
  const lost = (name: WorkspaceName, path: Path) =>
    isPlaceOrPlaces(name, setting.workspaces) ? [] : [{ path, ...outsideOf(name, setting.workspaces) }]
  return [
    ...(content.workspaces ?? []).flatMap(({ name }) => lost(name, ['workspaces', name])),
    ...content.roles.flatMap(({ workspace = DEFAULT_WORKSPACE }, index) =>
      lost(workspace, ['roles', index, 'workspace']),
    ),
  ]
}

function outsideOf(name: WorkspaceName, { upstreams }: WorkspaceConfig): Omit<Placed, 'path'> {
  const { upstream } = placeOf(name)
  const isKnown = upstream === undefined || upstreams.some(({ id }) => id === upstream)
  if (!isKnown) {
    const remedy = 'Add it to UPSTREAMS, or leave it out.'
    return {
      problem: `is ${name}, on a tracking server that UPSTREAMS does not list: it has no effect`,
      remedy,
    }
  }
  const variable = upstream === undefined ? 'WORKSPACES' : `UPSTREAM_${upstream.toUpperCase()}_WORKSPACES`
  const remedy = `Turn ${variable} on, or leave it out.`
  return { problem: `is ${name}, while ${variable} is off: it has no effect`, remedy }
}

function groupsUnheardOf({ document }: PolicyFile, { setting }: FindingsContext): readonly Placed[] {
  if (setting === undefined) return []
  const ids = setting.providers.map(({ id }) => id)
  return Object.keys(document.groups ?? {}).flatMap((entry) => {
    const qualified = qualifyName(entry, ids)
    const id = 'name' in qualified ? qualified.name.split(':', 1)[0] : undefined
    const provider = setting.providers.find((each) => each.id === id)
    if (provider === undefined || provider.groupsClaim !== undefined) return []
    const problem = `is a group of ${provider.id}, which tells of no groups: no groups claim is configured`
    const remedy = 'Set its GROUPS_CLAIM if it has one, or give the role to people under users.'
    return { path: ['groups', entry], problem, remedy }
  })
}

import { Document, type Node, Scalar, type YAMLMap } from 'yaml'
import { qualifyName } from '../config/qualified-name.ts'
import type { PolicyContent, PolicyMapping, PolicyRole } from '../store/policy.ts'
import { GRANT_TYPES, type Grant } from './grants.ts'
import type { PolicyContext } from './policy-file.ts'

type Options = PolicyContext & {
  /** What stands at the top as comments. */
  readonly leftOut: readonly string[]
}

/** Writes a policy as a person would: in one order, a grant a line, names in quotes. */
export function policyText(content: PolicyContent, { providerIds, leftOut }: Options): string {
  const { defaultPermission, workspaces = [], roles, groups, users } = content
  const document = new Document({
    version: 1,
    ...(defaultPermission === undefined ? {} : { default_permission: defaultPermission }),
  })
  const set = (key: string, value: Node) => {
    const name = new Scalar(key)
    name.spaceBefore = true
    document.set(name, value)
  }
  const levels = byName(workspaces).map((each) => [each.name, { default_permission: each.defaultPermission }])
  if (levels.length > 0) set('workspaces', flowInside(document, Object.fromEntries(levels)))
  set('roles', rolesNode(document, roles))
  if (groups.length > 0) set('groups', flowInside(document, listed(groups, providerIds)))
  if (users.length > 0) set('users', flowInside(document, listed(users, providerIds)))
  const comments = leftOut.map((line) => `#   ${oneLine(line)}\n`)
  const head =
    comments.length === 0 ? '' : `# Not in this file, since it cannot say it:\n${comments.join('')}`
  return head + document.toString({ lineWidth: 0, flowCollectionPadding: true })
}

function rolesNode(document: Document, roles: readonly PolicyRole[]): Node {
  const list = document.createNode(byName(roles).map((role) => roleItem(role)))
  for (const [index, role] of list.items.entries()) {
    const map = role as YAMLMap
    // An empty line between roles.
    map.spaceBefore = index > 0
    const grants = map.get('grants') as Node & { items: YAMLMap[]; flow?: boolean }
    for (const grant of grants.items) {
      grant.flow = true
      quoteTarget(grant)
    }
  }
  return list
}

function roleItem({ name, description, workspace, grants }: PolicyRole): object {
  return {
    name,
    ...(workspace === undefined ? {} : { workspace }),
    ...(description === undefined ? {} : { description }),
    grants: grants.toSorted(compareGrants).map(grantItem),
  }
}

function compareGrants(a: Grant, b: Grant): number {
  return (
    GRANT_TYPES.indexOf(a.resourceType) - GRANT_TYPES.indexOf(b.resourceType) ||
    compare(a.pattern, b.pattern) ||
    compare(a.match, b.match) ||
    (a.expiresAt ?? Number.POSITIVE_INFINITY) - (b.expiresAt ?? Number.POSITIVE_INFINITY)
  )
}

function grantItem({ resourceType, match, pattern, level, expiresAt }: Grant): object {
  const target = match === 'any' ? '*' : match === 'exact' ? { id: pattern } : { name: pattern }
  return {
    [resourceType]: target,
    level,
    ...(expiresAt === undefined ? {} : { expires: expiryText(expiresAt) }),
  }
}

/** Patterns and ids are text whatever they look like: in quotes, as the documentation writes them. */
function quoteTarget(grant: YAMLMap): void {
  const target = grant.items[0]?.value as Scalar | YAMLMap
  const text = target instanceof Scalar ? target : (target.items[0]?.value as Scalar)
  text.type = Scalar.QUOTE_DOUBLE
}

const DAY = 86_400

/** The day that ends then, or the moment. */
function expiryText(at: number): string {
  const time = new Date((at % DAY === 0 ? at - DAY : at) * 1000)
  if (Number.isNaN(time.getTime())) return String(at)
  const text = time.toISOString()
  return at % DAY === 0 ? text.slice(0, 10) : text.replace('.000Z', 'Z')
}

/** Role names by who holds them, written as short as the reader understands it. */
function listed(
  mappings: readonly PolicyMapping[],
  providerIds: readonly string[],
): Readonly<Record<string, readonly string[]>> {
  const owners = Map.groupBy(mappings, (mapping) => ownerOf(mapping, providerIds))
  const sorted = [...owners].toSorted(([a], [b]) => compare(a, b))
  return Object.fromEntries(
    sorted.map(([owner, own]) => [owner, own.map(({ role }) => role).toSorted(compare)]),
  )
}

function ownerOf({ provider, name }: PolicyMapping, providerIds: readonly string[]): string {
  const short = qualifyName(name, providerIds)
  return 'name' in short && short.name === `${provider}:${name}` ? name : `${provider}:${name}`
}

/** A map a line each. */
function flowInside(document: Document, value: Readonly<Record<string, unknown>>): Node {
  const map = document.createNode(value) as YAMLMap<unknown, Node & { flow?: boolean }>
  for (const { value: inner } of map.items) if (inner !== null) inner.flow = true
  return map
}

function byName<T extends { readonly name: string }>(items: readonly T[]): T[] {
  return items.toSorted((a, b) => compare(a.name, b.name))
}

/** By code units: the same everywhere. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** What people have named may hold line ends, which would end the comment. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
}

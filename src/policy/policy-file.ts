import { Value } from 'typebox/value'
import { qualifyName } from '../config/qualified-name.ts'
import type { PolicyContent, PolicyMapping } from '../store/policy.ts'
import type { Store } from '../store/store.ts'
import { DEFAULT_WORKSPACE, levelsOf } from './grants.ts'
import { type PolicyDocumentReader, readPolicyDocument } from './policy-document.ts'
import { PolicyError } from './policy-error.ts'
import { readExpiry, readGrant } from './policy-grant.ts'
import { GrantSchema, type PolicyDocument, PolicySchema, WORKSPACE_NAME } from './policy-schema.ts'

export type { PolicyContent } from '../store/policy.ts'
export { diffPolicy, type PolicyDiff } from './policy-diff.ts'
export type { PolicyFault } from './policy-document.ts'
export { PolicyError } from './policy-error.ts'

export type PolicyContext = {
  /** Ids of the configured providers: a name without one is understood only where there is a single provider. */
  readonly providerIds: readonly string[]
}

/** A policy file in order, with where in it things are. */
export type PolicyFile = {
  readonly content: PolicyContent
  /** As it was written: roles and their grants are in the order of `content`. */
  readonly document: PolicyDocument
  readonly at: PolicyDocumentReader['at']
}

/** What {@link readPolicyFile} says of the file. @throws {PolicyError} */
export function parsePolicy(text: string, context: PolicyContext): PolicyContent {
  return readPolicyFile(text, context).content
}

/**
 * Reads a policy file. What it returns is in order as a whole; nothing is applied.
 *
 * @throws {PolicyError} With every fault at once.
 */
export function readPolicyFile(text: string, { providerIds }: PolicyContext): PolicyFile {
  const reader = readPolicyDocument(text, PolicySchema)
  const roles = checkRoles(reader)
  checkWorkspaces(reader)
  const groups = readMappings(reader, { key: 'groups', roles, providerIds })
  const users = readMappings(reader, { key: 'users', roles, providerIds })
  const faults = reader.faults()
  const document = reader.value
  // The second is the schema's own word, should the reading above ever know less than it.
  if (faults.length > 0 || !Value.Check(PolicySchema, document)) throw new PolicyError(faults)
  return { content: { ...contentOf(document), groups, users }, document, at: reader.at }
}

function contentOf(document: PolicyDocument): Omit<PolicyContent, 'groups' | 'users'> {
  return {
    defaultPermission: document.default_permission,
    workspaces:
      document.workspaces &&
      Object.entries(document.workspaces).map(([name, { default_permission }]) => ({
        name,
        defaultPermission: default_permission,
      })),
    roles: document.roles.map(({ name, description, workspace, grants }) => ({
      name,
      description,
      // One content for both ways to say it.
      workspace: workspace === DEFAULT_WORKSPACE ? undefined : workspace,
      grants: grants.map(readGrant),
    })),
  }
}

/**
 * Makes the store follow the policy, whole or not at all; what was done by hand stays.
 *
 * @returns False if the store followed it already.
 * @throws {GatewayError} `ERR_INVALID_PARAMETER` if a role of that name was made by hand.
 */
export function applyPolicy(store: Pick<Store, 'roles'>, policy: PolicyContent): Promise<boolean> {
  return store.roles.replacePolicy(policy)
}

/** Names that exist, and not the one whose level stands at the top. */
function checkWorkspaces({ value, add }: PolicyDocumentReader): void {
  for (const name of Object.keys(record(property(value, 'workspaces')))) {
    if (name === DEFAULT_WORKSPACE) {
      add(['workspaces', name], 'is the default one', 'Set default_permission at the top instead.')
    } else if (!new RegExp(WORKSPACE_NAME).test(name)) {
      add(
        ['workspaces', name],
        'is no name of a workspace',
        'Use 2 to 63 lower-case letters, digits and inner hyphens.',
      )
    }
  }
}

/** The names of the roles, after checks the schema cannot express: no role twice, no grant twice, days that exist. */
function checkRoles({ value, add }: PolicyDocumentReader): ReadonlySet<string> {
  const names = new Set<string>()
  for (const [index, role] of list(property(value, 'roles')).entries()) {
    const name = property(role, 'name')
    if (typeof name === 'string') {
      if (names.has(name)) {
        add(['roles', index, 'name'], `is ${name} again`, 'Give each role its own name, or join the two.')
      }
      names.add(name)
    }
    const seen = new Set<string>()
    for (const [position, grant] of list(property(role, 'grants')).entries()) {
      if (!Value.Check(GrantSchema, grant)) continue
      const path = ['roles', index, 'grants', position]
      if (grant.expires !== undefined && readExpiry(grant.expires) === undefined) {
        add([...path, 'expires'], 'is a time that does not exist', 'Correct the date or the time of day.')
        continue
      }
      const { level, ...what } = readGrant(grant)
      const levels = levelsOf(what.resourceType)
      if (!levels.includes(level)) {
        add([...path, 'level'], `is none of a ${what.resourceType}'s`, `Make it one of ${levels.join(', ')}.`)
        continue
      }
      const key = JSON.stringify(what)
      if (seen.has(key)) add(path, 'is on the same as an earlier grant of this role', 'Keep one of the two.')
      seen.add(key)
    }
  }
  return names
}

type MappingContext = PolicyContext & {
  readonly key: 'groups' | 'users'
  readonly roles: ReadonlySet<string>
}

function readMappings(
  { value, add }: PolicyDocumentReader,
  { key, roles, providerIds }: MappingContext,
): readonly PolicyMapping[] {
  const mappings = new Map<string, PolicyMapping>()
  const owners = new Set<string>()
  for (const [entry, given] of Object.entries(record(property(value, key)))) {
    const qualified = entry.trim() === '' ? { problem: 'names nobody' } : qualifyName(entry, providerIds)
    if ('problem' in qualified) {
      add(
        [key, entry],
        qualified.problem,
        `Write it as provider:name, with one of: ${providerIds.join(', ')}.`,
      )
      continue
    }
    const owner = qualified.name
    if (owners.has(owner)) add([key, entry], `is ${owner} again`, 'Join the two lists.')
    owners.add(owner)
    const colon = owner.indexOf(':')
    for (const [index, role] of list(given).entries()) {
      if (typeof role !== 'string') continue
      const id = JSON.stringify([owner, role])
      if (!roles.has(role)) {
        add([key, entry, index], `is ${role}, a role this file does not define`, describeKnown(roles))
      } else if (mappings.has(id)) {
        add([key, entry, index], `is ${role} again`, 'Remove it.')
      }
      mappings.set(id, { provider: owner.slice(0, colon), name: owner.slice(colon + 1), role })
    }
  }
  return [...mappings.values()]
}

function describeKnown(roles: ReadonlySet<string>): string {
  return roles.size === 0
    ? 'Define it under roles.'
    : `Define it under roles, or use one of: ${[...roles].join(', ')}.`
}

function property(value: unknown, key: string): unknown {
  return record(value)[key]
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

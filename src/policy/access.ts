import {
  DEFAULT_WORKSPACE,
  type Grant,
  type GrantType,
  type Level,
  type ResourceType,
  type Tier,
} from './grants.ts'
import { createNameIndex, type NameIndex, type NameRule } from './name-index.ts'
import { namesFor, type WorkspaceName } from './workspace-name.ts'

/** A named set of grants, as the store hands it over. */
export type Role = { readonly id: string; readonly name: string; readonly grants: readonly Grant[] }

/**
 * A thing a request touches. `key` is what grants name (an experiment's id, a model's name); `undefined` means that
 * nothing by that id exists, or may not be known, so only a grant on everything covers it. `server` is covered by no
 * grant: only admins touch it.
 */
export type ResourceRef = {
  readonly type: ResourceType | 'server'
  readonly key: string | undefined
  readonly name?: string | undefined
  /** What of the resource is touched, where grants on that sub-resource type may say otherwise than those on it. */
  readonly tier?: Tier | 'scorer' | undefined
}

/** What one person's grants say of a resource: the best level, or `DENY` if any grant says so. */
export type Access = {
  levelOf(resource: ResourceRef): Level
  /** The level on all of a type; `undefined` if no grant speaks of all of them. */
  levelOfAll(type: Tier | 'scorer'): Level | undefined
  /** True for a member of the workspace, who may create in it. */
  readonly isMember: boolean
  /** True for an administrator of the workspace, who may do everything in it. */
  readonly isAdministrator: boolean
  /** True if some grant of this type speaks of names, so that the name has to be known before deciding. */
  needsName(type: ResourceType): boolean
  /** The level on every resource of the type, if nothing narrower could take it away; else `undefined`. */
  uniform(type: ResourceType): Level | undefined
  /** Name patterns on which at least `level` is held: what a refusal to create may suggest. */
  patterns(type: ResourceType, level: Level): readonly string[]
  /** Seconds since the epoch at which a grant counted here expires; `Infinity` if none does. */
  readonly validUntil: number
}

const RANK = { NO_PERMISSIONS: 0, READ: 1, USE: 2, EDIT: 3, MANAGE: 4, DENY: 5 } as const satisfies Record<
  Level,
  number
>

/** True if holding `held` satisfies a demand for `wanted`. `DENY` satisfies nothing. */
export function satisfies(held: Level, wanted: Level): boolean {
  return held !== 'DENY' && RANK[held] >= RANK[wanted]
}

/** The level that decides of two: the higher, with `DENY` above all. */
function stronger(a: Level, b: Level): Level {
  return RANK[a] >= RANK[b] ? a : b
}

class TypeIndex {
  readonly exact = new Map<string, Level>()
  readonly names: NameRule<Level>[] = []
  #byName: NameIndex<Level> | undefined
  /** The best grant on all of the type. */
  granted: Level | undefined
  /** The strongest grant on less than all of the type. */
  #narrower: Level = 'NO_PERMISSIONS'
  readonly #floor: Level

  constructor(floor: Level) {
    this.#floor = floor
  }

  get any(): Level {
    return this.granted === undefined ? this.#floor : stronger(this.#floor, this.granted)
  }

  add(grant: Grant): void {
    if (grant.match === 'any') {
      this.granted = stronger(this.granted ?? 'NO_PERMISSIONS', grant.level)
      return
    }
    this.#narrower = stronger(this.#narrower, grant.level)
    if (grant.match === 'exact') {
      this.exact.set(grant.pattern, stronger(this.exact.get(grant.pattern) ?? 'NO_PERMISSIONS', grant.level))
    } else this.names.push({ pattern: grant.pattern, value: grant.level })
  }

  levelOf(key: string | undefined, name: string | undefined): Level {
    let level = this.any
    // Asked about many names, as those of a list, a look-up in nothing is worth leaving out.
    if (key !== undefined && this.exact.size > 0)
      level = stronger(level, this.exact.get(key) ?? 'NO_PERMISSIONS')
    if (name !== undefined && this.names.length > 0) {
      this.#byName ??= createNameIndex(this.names)
      for (const held of this.#byName(name)) level = stronger(level, held)
    }
    return level
  }

  uniform(): Level | undefined {
    return this.any === 'DENY' || RANK[this.#narrower] <= RANK[this.any] ? this.any : undefined
  }
}

/** Administrators of a workspace are not restricted within it (mlflow/server/auth, 3.17.2). */
function unrestricted(validUntil: number): Access {
  return {
    validUntil,
    isMember: true,
    isAdministrator: true,
    levelOf: ({ type }) => (type === 'server' ? 'NO_PERMISSIONS' : 'MANAGE'),
    levelOfAll: () => 'MANAGE',
    needsName: () => false,
    uniform: () => 'MANAGE',
    patterns: () => ['*'],
  }
}

/**
 * Indexes the grants of all roles of one person. Expired grants do not count.
 *
 * @param options.defaultLevel What everybody who is signed in has on everything (`DEFAULT_PERMISSION`).
 * @param options.now Seconds since the epoch.
 * @param options.workspace The one whose grants count; the default one if absent.
 */
export function compileAccess(
  roles: readonly Role[],
  options: { readonly defaultLevel: Level; readonly now: number; readonly workspace?: WorkspaceName },
): Access {
  const silent = new TypeIndex(options.defaultLevel)
  const spoken = new Map<GrantType, TypeIndex>()
  const index = (type: GrantType) => spoken.get(type) ?? silent
  let validUntil = Number.POSITIVE_INFINITY
  const places = namesFor(options.workspace ?? DEFAULT_WORKSPACE)
  for (const grant of roles.flatMap((role) => role.grants)) {
    if (!places.includes(grant.workspace ?? DEFAULT_WORKSPACE)) continue
    if (grant.expiresAt !== undefined) {
      if (grant.expiresAt <= options.now) continue
      validUntil = Math.min(validUntil, grant.expiresAt)
    }
    const { resourceType: type } = grant
    const known = spoken.get(type) ?? new TypeIndex(options.defaultLevel)
    spoken.set(type, known)
    known.add(grant)
  }
  const membership = index('workspace').granted ?? 'NO_PERMISSIONS'
  if (satisfies(membership, 'MANAGE')) return unrestricted(validUntil)
  return {
    validUntil,
    isMember: satisfies(membership, 'USE'),
    isAdministrator: false,
    levelOf: ({ type, key, name }) => (type === 'server' ? 'NO_PERMISSIONS' : index(type).levelOf(key, name)),
    levelOfAll: (type) => {
      const { granted } = index(type)
      return granted && stronger(granted, options.defaultLevel)
    },
    needsName: (type) => index(type).names.length > 0,
    uniform: (type) => index(type).uniform(),
    patterns: (type, level) => {
      const named = index(type)
        .names.filter(({ value }) => satisfies(value, level))
        .map(({ pattern }) => pattern)
      return satisfies(index(type).any, level) ? ['*', ...named] : named
    },
  }
}

/** The versions of MLflow whose routes the catalogue was compared with, both ways; oldest first. */
export const KNOWN_VERSIONS = ['2.22.5', '3.1.4', '3.10.1', '3.17.2'] as const

export type KnownVersion = (typeof KNOWN_VERSIONS)[number]

/** The first and the last known version that serves something; without one, there is none before or after it. */
export type VersionRange = {
  readonly since?: KnownVersion | undefined
  readonly until?: KnownVersion | undefined
}

/** How a version stands to the known ones. */
export type KnownNear = {
  /** It is one of them. */
  readonly isKnown: boolean
  /** Itself, or its neighbours: the known ones right below and right above it, where there are such. */
  readonly neighbours: readonly KnownVersion[]
}

/**
 * @param text As MLflow writes it: `3.17.2`, `3.18.0rc1`, `3.18.1.dev0`.
 * @returns `undefined` if that is no version. A release candidate counts as unknown, and as the release.
 */
export function knownNear(text: string): KnownNear | undefined {
  const parts = parse(text)
  if (parts === undefined) return undefined
  const same = KNOWN_VERSIONS.find((known) => known === text)
  if (same !== undefined) return { isKnown: true, neighbours: [same] }
  const below = KNOWN_VERSIONS.findLast((known) => compare(parse(known) ?? [], parts) <= 0)
  const above = KNOWN_VERSIONS.find((known) => compare(parse(known) ?? [], parts) > 0)
  return { isKnown: false, neighbours: [below, above].filter((known) => known !== undefined) }
}

/** True if one of these versions serves what has this range. */
export function isServedBy(range: VersionRange, versions: readonly KnownVersion[]): boolean {
  return versions.some((version) => includes(range, version))
}

/** True if all of these versions do. */
export function isServedByAll(range: VersionRange, versions: readonly KnownVersion[]): boolean {
  return versions.every((version) => includes(range, version))
}

function includes({ since, until }: VersionRange, version: KnownVersion): boolean {
  const at = KNOWN_VERSIONS.indexOf(version)
  const from = since === undefined ? 0 : KNOWN_VERSIONS.indexOf(since)
  return from <= at && (until === undefined || at <= KNOWN_VERSIONS.indexOf(until))
}

/** Longer than any; what an upstream says is shown to people. */
const VERSION = /^(\d{1,4})\.(\d{1,4})\.(\d{1,4})(?:[a-z.+][\w.+]{0,20})?$/

function parse(text: string): readonly number[] | undefined {
  return VERSION.exec(text)?.slice(1, 4).map(Number)
}

function compare(one: readonly number[], other: readonly number[]): number {
  const difference = one.map((part, index) => part - (other[index] ?? 0)).find((part) => part !== 0)
  return difference ?? 0
}

import type { Database } from '../../../src/store/database.ts'
import type { Chance } from './chance.ts'
import { insertAll } from './insert.ts'

/** Who vouches for all of them. */
export const PROVIDER = { id: 'oidc', issuer: 'https://issuer.invalid' }

export type Somebody = { readonly id: string; readonly username: string }

const FIRST = 'ada ben cleo dan eva finn gina hugo ida jan kim lena max nora otto pia quentin rosa sam tess'
const LAST = 'adler brandt conti dubois eriksen fischer garcia haas ito jensen keller lind moreau novak'

/** Everybody of a company, in its directory and mostly signed in before: a few disabled, a few still expected. */
export async function makePeople(
  db: Database,
  count: number,
  { chance, at }: { readonly chance: Chance; readonly at: number },
): Promise<readonly Somebody[]> {
  const [first, last] = [FIRST.split(' '), LAST.split(' ')]
  const people = Array.from({ length: count }, (_, index) => {
    const [given, family] = [chance.of(first), chance.of(last)]
    const username = `${given}.${family}.${index}`
    const display = `${given[0]?.toUpperCase()}${given.slice(1)} ${family[0]?.toUpperCase()}${family.slice(1)}`
    return { id: chance.id(), username, display, pending: chance.is(0.02), disabled: chance.is(0.01) }
  })
  const createdAt = at - 300 * 86_400
  await insertAll(
    db,
    'users',
    people.map(({ id, username, display, pending, disabled }) => ({
      ...{ id, username, display_name: display, comparable_name: username, email: `${username}@example.com` },
      ...{ disabled: disabled ? 1 : 0, created_at: createdAt },
      pending_provider: pending ? PROVIDER.id : null,
      pending_username: pending ? username : null,
      last_seen_at: pending ? null : at - chance.number(90 * 86_400),
    })),
  )
  await insertAll(
    db,
    'identities',
    people
      .filter(({ pending }) => !pending)
      .map(({ id, username }) => ({
        ...{ issuer: PROVIDER.issuer, subject: `subject-of-${username}`, user_id: id },
        ...{ provider: PROVIDER.id, claimed_username: username, created_at: createdAt },
      })),
  )
  await insertAll(
    db,
    'claimed_names',
    people.map(({ id, username }) => ({
      ...{ provider: PROVIDER.id, username, user_id: id, claimed_at: createdAt },
    })),
  )
  return people.map(({ id, username }) => ({ id, username }))
}

/** Sizes of groups for each 100,000 people: how many there are of each. */
const GROUP_SIZES: readonly (readonly [size: number, groups: number])[] = [
  [10_000, 5],
  [1000, 50],
  [100, 500],
  [5, 10_000],
]

/** Groups of the sizes that directories have: a few of everybody in a country, many of one team. @returns Their names. */
export async function makeGroups(
  db: Database,
  people: readonly Somebody[],
  chance: Chance,
): Promise<readonly string[]> {
  const share = people.length / 100_000
  const groups = GROUP_SIZES.flatMap(([size, count]) => {
    const groupSize = size > 100 ? Math.max(1, Math.round(size * share)) : size
    const groupCount = size > 100 ? count : Math.max(1, Math.round(count * share))
    return Array.from({ length: groupCount }, (_, index) => ({
      name: `${size}-people-${index}`,
      size: Math.min(groupSize, people.length),
    }))
  })
  await insertAll(
    db,
    'user_groups',
    (function* () {
      for (const { name, size } of groups) {
        const start = chance.number(people.length)
        for (let index = 0; index < size; index++) {
          const { id } = people[(start + index) % people.length] ?? { id: '' }
          yield { user_id: id, provider: PROVIDER.id, group_name: name }
        }
      }
    })(),
  )
  return groups.map(({ name }) => name)
}

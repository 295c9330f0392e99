import type { InsertObject } from 'kysely'
import type { Database } from '../../../src/store/database.ts'
import type { Schema } from '../../../src/store/schema.ts'
import { insertAll } from './insert.ts'
import { PROVIDER } from './people.ts'
import { grantRow, type Making } from './roles.ts'

/** What the probes hold grants on: experiments `1` and up. */
const HELD = [1, 10, 100, 1000] as const

/** How many name patterns the largest role has. */
const PATTERNS = 10_000

/**
 * Who is looked at closely: `probe-admin`, for `ADMIN_USERS`; `probe-owner`, who manages experiment 1 and nothing else;
 * `probe-1` to `probe-1000`, who hold that many grants on single experiments; `probe-patterns`, who holds the role
 * `probe-patterns` of 10,000 patterns; `probe-stranger`, who holds nothing.
 */
export async function makeProbes(db: Database, making: Making): Promise<void> {
  const owner = await makeProbe(db, 'owner', making)
  await insertAll(db, 'grants', [
    grantRow(owner, { ...experiment('1'), level: 'MANAGE', source: 'creator' }, making),
  ])
  for (const held of HELD) {
    const role = await makeProbe(db, String(held), making)
    const grants = Array.from({ length: held }, (_, index) => ({
      ...grantRow(role, { ...experiment(String(1 + index)), level: 'EDIT', source: 'manual' }, making),
      expires_at: null,
    }))
    await insertAll(db, 'grants', grants)
  }
  for (const name of ['admin', 'stranger', 'patterns']) await makeProbe(db, name, making)
  await makePatterns(db, making)
}

const experiment = (pattern: string) => ({
  ...{ resourceType: 'experiment' as const, match: 'exact' as const, pattern },
})

/** @returns The id of the probe's personal role. */
async function makeProbe(db: Database, name: string, { chance, at }: Making): Promise<string> {
  const username = `probe-${name}`
  const [id, roleId] = [probeId(name), chance.id()]
  const user: InsertObject<Schema, 'users'> = {
    id,
    username,
    comparable_name: username,
    disabled: 0,
    created_at: at,
  }
  await insertAll(db, 'users', [user])
  await insertAll(db, 'identities', [
    {
      ...{ issuer: PROVIDER.issuer, subject: `subject-of-${username}`, user_id: id },
      ...{ provider: PROVIDER.id, claimed_username: username, created_at: at },
    },
  ])
  await insertAll(db, 'claimed_names', [{ provider: PROVIDER.id, username, user_id: id, claimed_at: at }])
  const role = { id: roleId, name: `~${id}`, workspace: 'default', owner_user_id: id }
  await insertAll(db, 'roles', [{ ...role, source: 'manual', created_at: at }])
  return roleId
}

/** @returns The id of the person, and of the role of that name. */
export function probeId(name: string): string {
  return `00000000-0000-4000-a000-${name.padStart(12, '0')}`
}

async function makePatterns(db: Database, making: Making): Promise<void> {
  const { at } = making
  const id = `role-${probeId('patterns')}`
  await insertAll(db, 'roles', [
    { id, name: 'probe-patterns', workspace: 'default', source: 'manual', created_at: at },
  ])
  await insertAll(
    db,
    'grants',
    Array.from({ length: PATTERNS }, (_, index) => ({
      ...grantRow(
        id,
        {
          ...{ resourceType: 'experiment', match: 'name', pattern: `*/project-${index}/experiment-*` },
          ...{ level: 'READ', source: 'manual' },
        },
        making,
      ),
      expires_at: null,
    })),
  )
  await insertAll(db, 'role_assignments', [{ user_id: probeId('patterns'), role_id: id, source: 'manual' }])
}

import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { comparableName } from '../../mlflow/person-name.ts'

type People = { users: { id: string; username: string; comparable_name: string | null } }

/** People named anew in one read: a large company's are not held in memory at once. */
const BATCH = 1000

/** What pages and lists need to read no more than they show, with 100,000 people and 1,000,000 grants. */
export const scale: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    // Open requests one after the other, also where several came in the same second.
    await createIndex(db, 'access_requests', ['state', 'created_at', 'id'])
    await db.schema.dropIndex('access_requests_state').execute()
    // From a group to who is in it; the table's key leads the other way.
    await createIndex(db, 'user_groups', ['group_name', 'provider', 'user_id'])
    await db.schema.dropIndex('user_groups_group_name').execute()
    // Roles that can be given, by name; those of single people are left out.
    await createIndex(db, 'roles', ['owner_user_id', 'name', 'id'])
    // What of a role's grants can speak of one thing; it does what the index on the role alone did.
    await createIndex(db, 'grants', ['role_id', 'resource_type', 'match', 'pattern'])
    await db.schema.dropIndex('grants_role_id').execute()
    // Counts over time are read from the index alone.
    await createIndex(db, 'audit_events', ['at', 'effect'])
    await db.schema.dropIndex('audit_events_at').execute()
    await db.schema.alterTable('users').addColumn('comparable_name', 'text').execute()
    await nameAll(db as Kysely<People>)
    await createIndex(db, 'users', ['comparable_name'])
  },
}

async function nameAll(db: Kysely<People>): Promise<void> {
  for (let after = ''; ; ) {
    const people = await db
      .selectFrom('users')
      .select(['id', 'username'])
      .where('id', '>', after)
      .orderBy('id')
      .limit(BATCH)
      .execute()
    for (const { id, username } of people) {
      await db
        .updateTable('users')
        .set({ comparable_name: comparableName(username) })
        .where('id', '=', id)
        .execute()
    }
    const last = people.at(-1)
    if (last === undefined) return
    after = last.id
  }
}

async function createIndex(db: Kysely<unknown>, table: string, columns: string[]): Promise<void> {
  await db.schema
    .createIndex(`${table}_${columns.join('_')}`)
    .on(table)
    .columns(columns)
    .execute()
}

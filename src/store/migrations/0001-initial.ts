import type { ColumnDefinitionBuilder, Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { counted } from './counted.ts'
import type { ColumnDialect } from './list.ts'

/** The schema the gateway was first released with. Times are `bigint`: 32 bits of seconds end in 2038. */
export function initial(dialect: ColumnDialect): Migration {
  return {
    async up(db: Kysely<unknown>): Promise<void> {
      await createPeople(db)
      await createRoles(db)
      await createRoleHolders(db)
      await createCredentials(db)
      await createRecords(db, dialect)
    },
  }
}

const required = (column: ColumnDefinitionBuilder) => column.notNull()

const flag = (column: ColumnDefinitionBuilder) => column.notNull().defaultTo(0)

const userReference = (column: ColumnDefinitionBuilder) =>
  column.notNull().references('users.id').onDelete('cascade')

const roleReference = (column: ColumnDefinitionBuilder) =>
  column.notNull().references('roles.id').onDelete('cascade')

async function createPeople(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('users')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('username', 'text', (column) => column.notNull().unique())
    .addColumn('display_name', 'text')
    .addColumn('email', 'text')
    .addColumn('disabled', 'integer', flag)
    .addColumn('pending_provider', 'text')
    .addColumn('pending_username', 'text')
    .addColumn('created_at', 'bigint', required)
    .addColumn('last_seen_at', 'bigint')
    .addUniqueConstraint('users_pending', ['pending_provider', 'pending_username'])
    .execute()
  await db.schema
    .createTable('identities')
    .addColumn('issuer', 'text', required)
    .addColumn('subject', 'text', required)
    // One identity a person: a principal has one issuer and one subject.
    .addColumn('user_id', 'text', (column) => userReference(column).unique())
    .addColumn('provider', 'text', required)
    .addColumn('claimed_username', 'text', required)
    .addColumn('created_at', 'bigint', required)
    .addPrimaryKeyConstraint('identities_pk', ['issuer', 'subject'])
    .execute()
  await db.schema
    .createTable('claimed_names')
    .addColumn('provider', 'text', required)
    .addColumn('username', 'text', required)
    .addColumn('user_id', 'text', userReference)
    .addColumn('claimed_at', 'bigint', required)
    .addPrimaryKeyConstraint('claimed_names_pk', ['provider', 'username'])
    .execute()
  await index(db, 'claimed_names', ['user_id'])
  await db.schema
    .createTable('user_groups')
    .addColumn('user_id', 'text', userReference)
    .addColumn('provider', 'text', required)
    .addColumn('group_name', 'text', required)
    .addPrimaryKeyConstraint('user_groups_pk', ['user_id', 'provider', 'group_name'])
    .execute()
}

async function createRoles(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('roles')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('workspace', 'text', (column) => column.notNull().defaultTo('default'))
    .addColumn('name', 'text', required)
    .addColumn('description', 'text')
    .addColumn('owner_user_id', 'text', (column) =>
      column.unique().references('users.id').onDelete('cascade'),
    )
    .addColumn('source', 'text', required)
    .addColumn('created_at', 'bigint', required)
    .addUniqueConstraint('roles_name', ['workspace', 'name'])
    .execute()
  await db.schema
    .createTable('grants')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('role_id', 'text', roleReference)
    .addColumn('workspace', 'text', (column) => column.notNull().defaultTo('default'))
    .addColumn('resource_type', 'text', required)
    .addColumn('match', 'text', required)
    .addColumn('pattern', 'text', required)
    .addColumn('level', 'text', required)
    .addColumn('expires_at', 'bigint')
    .addColumn('source', 'text', required)
    .addColumn('created_at', 'bigint', required)
    .addColumn('created_by', 'text')
    .execute()
  await index(db, 'grants', ['role_id'])
  await index(db, 'grants', ['resource_type', 'match', 'pattern'])
  await db.schema
    .createTable('settings')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('value', 'text', required)
    .execute()
}

async function createRoleHolders(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('role_assignments')
    .addColumn('user_id', 'text', userReference)
    .addColumn('role_id', 'text', roleReference)
    .addColumn('source', 'text', required)
    .addPrimaryKeyConstraint('role_assignments_pk', ['user_id', 'role_id', 'source'])
    .execute()
  await index(db, 'role_assignments', ['role_id'])
  await db.schema
    .createTable('group_roles')
    .addColumn('provider', 'text', required)
    .addColumn('group_name', 'text', required)
    .addColumn('role_id', 'text', roleReference)
    .addColumn('source', 'text', required)
    .addPrimaryKeyConstraint('group_roles_pk', ['group_name', 'provider', 'role_id', 'source'])
    .execute()
  await index(db, 'group_roles', ['role_id'])
  await db.schema
    .createTable('user_roles_by_name')
    .addColumn('provider', 'text', required)
    .addColumn('username', 'text', required)
    .addColumn('role_id', 'text', roleReference)
    .addColumn('source', 'text', required)
    .addPrimaryKeyConstraint('user_roles_by_name_pk', ['username', 'provider', 'role_id', 'source'])
    .execute()
  await index(db, 'user_roles_by_name', ['role_id'])
}

async function createCredentials(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('sessions')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('user_id', 'text', userReference)
    .addColumn('data', 'text', required)
    .addColumn('idle_expires_at', 'bigint', required)
    .addColumn('absolute_expires_at', 'bigint', required)
    .addColumn('created_at', 'bigint', required)
    .addColumn('revoked', 'integer', flag)
    .execute()
  await index(db, 'sessions', ['user_id'])
  await db.schema
    .createTable('access_tokens')
    .addColumn('jti', 'text', (column) => column.primaryKey())
    .addColumn('user_id', 'text', userReference)
    .addColumn('name', 'text', required)
    .addColumn('scope', 'text', required)
    .addColumn('created_at', 'bigint', required)
    .addColumn('expires_at', 'bigint', required)
    .addColumn('revoked_at', 'bigint')
    .addColumn('last_used_at', 'bigint')
    .addColumn('created_by', 'text')
    .execute()
  await index(db, 'access_tokens', ['user_id'])
  await db.schema
    .createTable('signing_keys')
    .addColumn('kid', 'text', (column) => column.primaryKey())
    .addColumn('alg', 'text', required)
    .addColumn('public_jwk', 'text', required)
    .addColumn('private_sealed', 'text', required)
    .addColumn('created_at', 'bigint', required)
    .addColumn('retired_at', 'bigint')
    .execute()
}

async function createRecords(db: Kysely<unknown>, dialect: ColumnDialect): Promise<void> {
  await counted(db.schema.createTable('audit_events'), 'id', dialect)
    .addColumn('at', 'bigint', required)
    .addColumn('request_id', 'text')
    .addColumn('user_id', 'text')
    .addColumn('username', 'text')
    .addColumn('operation', 'text')
    .addColumn('effect', 'text', required)
    .addColumn('reason', 'text')
    .addColumn('status', 'integer')
    .addColumn('event', 'text', required)
    .execute()
  await index(db, 'audit_events', ['at'])
  await counted(db.schema.createTable('changes'), 'seq', dialect)
    .addColumn('kind', 'text', required)
    .addColumn('key', 'text', required)
    .addColumn('at', 'bigint', required)
    .execute()
  await index(db, 'changes', ['at'])
}

async function index(db: Kysely<unknown>, table: string, columns: string[]): Promise<void> {
  await db.schema
    .createIndex(`${table}_${columns.join('_')}`)
    .on(table)
    .columns(columns)
    .execute()
}

import type { Command } from 'commander'
import { workspaceToWire } from '../admin/place.ts'
import { GatewayError } from '../errors.ts'
import { workspacesNamed } from '../mlflow-auth/workspace.ts'
import { DEFAULT_WORKSPACE, describeGrant } from '../policy/grants.ts'
import type { RoleDetails, RoleRecord } from '../store/roles.ts'
import { recordRoleChange } from './act.ts'
import { addCommand, type Cli, createGroup, minuteOf, type Outcome, table } from './command.ts'
import { findPerson, findRole } from './lookup.ts'
import { addGrantCommands, grantToJson, sourceOf } from './role-grant.ts'
import { withRecord, withStore } from './store-access.ts'
import { readWorkspaces } from './tracking-servers.ts'

/** `role create | list | show | delete | grant | revoke | assign | unassign`. */
export function roleCommands(cli: Cli): Command {
  const group = createGroup('role', 'named sets of grants')
  addCommand<NewRole>(cli, group, {
    usage: 'create <role>',
    summary: 'make a role without grants',
    options: [
      { flags: '--description <text>', summary: 'what it is for' },
      {
        flags: '--workspace <name>',
        summary: 'with WORKSPACES: where its grants count, if not in the default one',
      },
    ],
    run: ([name = ''], options) => create(cli, name, options),
  })
  addCommand(cli, group, { usage: 'list', summary: 'list the roles', run: () => list(cli) })
  addCommand(cli, group, {
    usage: 'show <role>',
    summary: "a role's grants, and who holds it",
    run: ([name = '']) => withStore(cli, async (store) => describe(await findRole(store, name))),
  })
  addCommand(cli, group, {
    usage: 'delete <role>',
    summary: 'delete a role with its grants; cannot be undone',
    run: ([name = '']) =>
      withRecord(cli, async (store) => {
        const role = await findRole(store, name)
        await store.roles.delete(role.id)
        await recordRoleChange(cli, store, { command: 'role delete', role })
        return { text: `Role ${name} is deleted.\n`, json: { id: role.id, deleted: true } }
      }),
  })
  addGrantCommands(cli, group)
  addAssignmentCommands(cli, group)
  return group
}

type NewRole = { readonly description?: string; readonly workspace?: string }

function create(cli: Cli, name: string, { description, workspace = DEFAULT_WORKSPACE }: NewRole) {
  const where = workspacesNamed(workspace, readWorkspaces(cli))
  return withRecord(cli, async (store): Promise<Outcome> => {
    const role = await store.roles.create({ name, description, workspace: where })
    await recordRoleChange(cli, store, { command: 'role create', role })
    const text = `Role ${name} is made${role.workspace === undefined ? '' : ` in workspace ${role.workspace}`}. Give it grants with: role grant ${name}\n`
    return { text, json: toJson(role) }
  })
}

function addAssignmentCommands(cli: Cli, group: Command): void {
  const options = [{ flags: '--provider <id>', summary: 'whose user of that name, if several have it' }]
  addCommand<{ readonly provider?: string }>(cli, group, {
    usage: 'assign <role> <user>',
    summary: 'give somebody a role',
    options,
    run: ([name = '', user = ''], { provider }) =>
      withRecord(cli, async (store) => {
        const [role, person] = [await findRole(store, name), await findPerson(store, user, provider)]
        await store.roles.assign(person.id, role.id)
        await recordRoleChange(cli, store, { command: 'role assign', role, person })
        return {
          text: `${person.username} has the role ${name}.\n`,
          json: { role: name, user: person.username },
        }
      }),
  })
  addCommand<{ readonly provider?: string }>(cli, group, {
    usage: 'unassign <role> <user>',
    summary: 'take a role from somebody',
    options,
    run: ([name = '', user = ''], { provider }) =>
      withRecord(cli, async (store) => {
        const [role, person] = [await findRole(store, name), await findPerson(store, user, provider)]
        if (!(await store.roles.unassign(person.id, role.id))) {
          throw new GatewayError(
            'ERR_NOT_FOUND',
            `${user} was not given the role ${name} by hand; it may come from a group or the policy file. See: role show ${name}`,
          )
        }
        await recordRoleChange(cli, store, { command: 'role unassign', role, person })
        return {
          text: `${person.username} no longer has the role ${name}.\n`,
          json: { role: name, user: person.username },
        }
      }),
  })
}

function list(cli: Cli) {
  return withStore(cli, async (store): Promise<Outcome> => {
    const roles = await store.roles.list()
    const isPlaced = roles.some(({ workspace }) => workspace !== undefined)
    return {
      text: table(
        ['ROLE', ...(isPlaced ? ['WORKSPACE'] : []), 'GRANTS', 'FROM', 'DESCRIPTION'],
        roles.map((role) => [
          role.name,
          ...(isPlaced ? [role.workspace ?? DEFAULT_WORKSPACE] : []),
          ...[String(role.grants.length), sourceOf(role), role.description ?? ''],
        ]),
        'There are no roles.',
      ),
      json: roles.map(toJson),
    }
  })
}

function describe(role: RoleDetails): Outcome {
  const holders = [
    ...role.users.map(({ username, source }) => [username, 'user', sourceOf({ source })]),
    ...role.names.map(({ provider, name, source }) => [
      qualified(provider, name),
      'user name',
      sourceOf({ source }),
    ]),
    ...role.groups.map(({ provider, name, source }) => [
      qualified(provider, name),
      'group',
      sourceOf({ source }),
    ]),
  ]
  const grants = role.grants.map((grant) => [
    grant.id,
    describeGrant(grant),
    minuteOf(grant.expiresAt, 'never'),
    sourceOf(grant),
  ])
  return {
    text: [
      `${role.name}${role.description === undefined ? '' : `: ${role.description}`} (${sourceOf(role)}${role.workspace === undefined ? '' : `, in workspace ${role.workspace}`})\n\n`,
      table(['GRANT', 'WHAT', 'EXPIRES', 'FROM'], grants, 'It has no grants.'),
      '\n',
      table(['HELD BY', 'AS', 'FROM'], holders, 'Nobody holds it.'),
    ].join(''),
    json: { ...toJson(role), users: role.users, names: role.names, groups: role.groups },
  }
}

function qualified(provider: string, name: string): string {
  return provider === '' ? name : `${provider}:${name}`
}

function toJson({ id, name, description, workspace, source, grants }: RoleRecord) {
  return {
    ...{ id, name, description: description ?? null, ...workspaceToWire(workspace) },
    ...{ source, grants: grants.map(grantToJson) },
  }
}

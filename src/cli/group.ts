import type { Command } from 'commander'
import { GatewayError } from '../errors.ts'
import { recordAct, whereOf } from './act.ts'
import { addCommand, type Cli, createGroup, type Outcome, table } from './command.ts'
import { findRole } from './lookup.ts'
import { withRecord, withStore } from './store-access.ts'

type WithProvider = { readonly provider?: string }

const PROVIDER = {
  flags: '--provider <id>',
  summary: 'which provider speaks of the group; needed if several are configured',
}

/** `group map | unmap | list`: which groups of the providers hold which roles. */
export function groupCommands(cli: Cli): Command {
  const group = createGroup('group', 'roles for the groups a provider tells of')
  addCommand<WithProvider>(cli, group, {
    usage: 'map <group> <role>',
    summary: 'give everybody in a group a role',
    options: [PROVIDER],
    example: 'mlflow-auth-gateway group map data-science alpha-editor',
    run: ([name = '', role = ''], { provider = '' }) =>
      change(cli, { name, role, provider, command: 'group map' }),
  })
  addCommand<WithProvider>(cli, group, {
    usage: 'unmap <group> <role>',
    summary: 'take a role from a group',
    options: [PROVIDER],
    run: ([name = '', role = ''], { provider = '' }) =>
      change(cli, { name, role, provider, command: 'group unmap' }),
  })
  addCommand(cli, group, {
    usage: 'list',
    summary: 'list which group holds which role',
    run: () => list(cli),
  })
  return group
}

type Change = {
  readonly name: string
  readonly role: string
  /** '' for the only provider there is. */
  readonly provider: string
  readonly command: 'group map' | 'group unmap'
}

function change(cli: Cli, { name, role: roleName, provider, command }: Change) {
  return withRecord(cli, async (store): Promise<Outcome> => {
    const role = await findRole(store, roleName)
    if (command === 'group map') await store.roles.mapGroup(provider, name, role.id)
    else if (!(await store.roles.unmapGroup(provider, name, role.id))) {
      throw new GatewayError(
        'ERR_NOT_FOUND',
        `Group ${name} was not given ${roleName} by hand. See: group list`,
      )
    }
    const resources = [
      { type: 'role', id: role.id, name: role.name },
      { type: 'group', id: provider === '' ? name : `${provider}:${name}` },
    ]
    await recordAct(store, { event: 'role_changed', command, workspace: whereOf(cli, role), resources })
    const verb = command === 'group map' ? 'has' : 'no longer has'
    return {
      text: `Group ${name} ${verb} the role ${roleName}.\n`,
      json: { group: name, provider: provider || null, role: roleName },
    }
  })
}

function list(cli: Cli) {
  return withStore(cli, async (store): Promise<Outcome> => {
    const roles = await Promise.all((await store.roles.list()).map(({ name }) => store.roles.get(name)))
    const mappings = roles.flatMap((role) =>
      (role?.groups ?? []).map(({ provider, name, source }) => ({
        group: name,
        provider: provider || null,
        role: role?.name ?? '',
        source,
      })),
    )
    return {
      text: table(
        ['GROUP', 'PROVIDER', 'ROLE', 'FROM'],
        mappings.map(({ group, provider, role, source }) => [
          group,
          provider ?? 'the only one',
          role,
          source === 'policy' ? 'policy file' : 'by hand',
        ]),
        'No group has a role.',
      ),
      json: mappings,
    }
  })
}

import { type Command, InvalidArgumentError } from 'commander'
import { bareGrantToWire } from '../admin/wire.ts'
import { GatewayError } from '../errors.ts'
import {
  describeGrant,
  GRANT_TYPES,
  type Grant,
  type GrantType,
  isWildcardOnly,
  type Level,
  levelsOf,
} from '../policy/grants.ts'
import type { StoredGrant } from '../store/grant-row.ts'
import { COMMAND_LINE, recordRoleChange } from './act.ts'
import { addCommand, type Cli, type Outcome, UsageError } from './command.ts'
import { readDuration } from './duration.ts'
import { findRole } from './lookup.ts'
import { withRecord } from './store-access.ts'

const LEVELS: readonly Level[] = ['READ', 'USE', 'EDIT', 'MANAGE', 'DENY']

type GrantOptions = {
  readonly level: Level
  readonly type: GrantType
  readonly exact?: string
  readonly name?: string
  readonly all?: boolean
  readonly expires?: number
}

/** `role grant | revoke`. */
export function addGrantCommands(cli: Cli, group: Command): void {
  addCommand<GrantOptions>(cli, group, {
    usage: 'grant <role>',
    summary: 'give a role a level on resources',
    options: [
      { flags: '--level <level>', summary: LEVELS.join(', '), required: true, parse: oneOf(LEVELS) },
      { flags: '--type <type>', summary: GRANT_TYPES.join(', '), required: true, parse: oneOf(GRANT_TYPES) },
      {
        flags: '--exact <key>',
        summary: 'just this one: its id, or the name of a model, prompt or MCP server',
      },
      { flags: '--name <glob>', summary: 'all with such a name; * stands for any characters' },
      { flags: '--all', summary: 'all of the type' },
      {
        flags: '--expires <duration>',
        summary: 'for how long: 8h, 30d; for good if left out',
        parse: readDuration,
      },
    ],
    example: "mlflow-auth-gateway role grant alpha-editor --level EDIT --type experiment --name 'alpha/*'",
    run: ([name = ''], options) => grant(cli, name, options),
  })
  addCommand(cli, group, {
    usage: 'revoke <role> <grant>',
    summary: 'take a grant from a role; its id is in: role show',
    run: ([name = '', id = '']) =>
      withRecord(cli, async (store) => {
        const role = await findRole(store, name)
        const found = role.grants.find((grant) => grant.id === id)
        if (found === undefined) {
          throw new GatewayError(
            'ERR_NOT_FOUND',
            `Role ${name} has no grant ${id}. See them with: role show ${name}`,
          )
        }
        await store.roles.revokeGrant(id)
        await recordRoleChange(cli, store, { command: 'role revoke', role })
        return { text: `Role ${name} no longer has ${describeGrant(found)}.\n`, json: { id, revoked: true } }
      }),
  })
}

function grant(cli: Cli, name: string, options: GrantOptions) {
  return withRecord(cli, async (store): Promise<Outcome> => {
    const wanted = readGrant(options, cli.now())
    const role = await findRole(store, name)
    const made = await store.roles.grant(role.id, { ...wanted, source: 'manual', createdBy: COMMAND_LINE })
    await recordRoleChange(cli, store, { command: 'role grant', role })
    return {
      text: `Role ${name} has ${describeGrant(made)}.\n`,
      json: grantToJson(made),
    }
  })
}

/** @throws {UsageError} unless exactly one way of naming resources is used. */
function readGrant(
  { level, type: resourceType, exact, name, all, expires }: GrantOptions,
  now: number,
): Grant {
  const given = [exact, name, all].filter((value) => value !== undefined)
  if (given.length !== 1)
    throw new UsageError('Say what the grant is on with one of --exact, --name and --all.')
  if (!levelsOf(resourceType).includes(level))
    throw new UsageError(`On a ${resourceType} the level is one of ${levelsOf(resourceType).join(', ')}.`)
  if (isWildcardOnly(resourceType) && all === undefined)
    throw new UsageError(`A grant on ${resourceType} is on all of them: say --all.`)
  const expiresAt = expires === undefined ? undefined : now + expires
  if (exact !== undefined) return { resourceType, match: 'exact', pattern: exact, level, expiresAt }
  if (name !== undefined) return { resourceType, match: 'name', pattern: name, level, expiresAt }
  return { resourceType, match: 'any', pattern: '*', level, expiresAt }
}

function oneOf<T extends string>(values: readonly T[]): (value: string) => T {
  return (value) => {
    const found = values.find((known) => known === value)
    if (found === undefined) throw new InvalidArgumentError(`Use one of ${values.join(', ')}.`)
    return found
  }
}

/** @returns Where a role, grant or mapping comes from, for people. */
export function sourceOf({ source }: { readonly source: string }): string {
  return source === 'policy' ? 'policy file' : source === 'creator' ? 'creating it' : 'by hand'
}

/** A grant as `--json` prints it. Times in seconds since the epoch. */
export function grantToJson({ id, source, ...grant }: StoredGrant) {
  return { id, ...bareGrantToWire(grant), source }
}

import type { Command } from 'commander'
import { GatewayError } from '../errors.ts'
import type { TokenRecord } from '../store/tokens.ts'
import { COMMAND_LINE, recordAct } from './act.ts'
import { addCommand, type Cli, createGroup, minuteOf, type Outcome, table, UsageError } from './command.ts'
import { readDuration } from './duration.ts'
import { findPerson } from './lookup.ts'
import { withAccessTokens, withRecord, withStore } from './store-access.ts'

type CreateOptions = {
  readonly user: string
  readonly provider?: string
  readonly expires: number
  readonly readOnly?: boolean
  readonly name?: string
}

/** `token create | list | revoke`: access tokens for scripts. */
export function tokenCommands(cli: Cli): Command {
  const group = createGroup('token', 'access tokens for scripts')
  addCommand<CreateOptions>(cli, group, {
    usage: 'create',
    summary: 'make an access token for somebody; prints the token and nothing else, this once',
    options: [
      { flags: '--user <name>', summary: 'whose token: it may do what they may do', required: true },
      { flags: '--provider <id>', summary: 'whose user of that name, if several have it' },
      {
        flags: '--expires <duration>',
        summary: 'how long it works: 90m, 1h, 30d',
        required: true,
        parse: readDuration,
      },
      { flags: '--read-only', summary: 'it may only read' },
      { flags: '--name <text>', summary: 'what the token is for' },
    ],
    example: 'export MLFLOW_TRACKING_TOKEN=$(mlflow-auth-gateway token create --user ada --expires 1h)',
    run: (_args, options) => create(cli, options),
  })
  addCommand<{ readonly user?: string }>(cli, group, {
    usage: 'list',
    summary: 'list access tokens; the tokens themselves are kept nowhere',
    options: [{ flags: '--user <name>', summary: "only this user's" }],
    run: (_args, options) => list(cli, options),
  })
  addCommand<RevokeOptions>(cli, group, {
    usage: 'revoke [id]',
    summary: 'end an access token at once, or all of them',
    options: [
      { flags: '--user <name>', summary: "all of this user's" },
      { flags: '--provider <id>', summary: 'whose user of that name, if several have it' },
      { flags: '--all', summary: "everybody's" },
    ],
    run: ([id], options) => revoke(cli, id, options),
  })
  return group
}

function create(cli: Cli, { user, provider, expires, readOnly = false, name = COMMAND_LINE }: CreateOptions) {
  return withAccessTokens(cli, async (accessTokens, store): Promise<Outcome> => {
    const person = await findPerson(store, user, provider)
    if (person.disabled) {
      throw new GatewayError(
        'ERR_INVALID_PARAMETER',
        `${user} is disabled, so a token would not work. See: user enable`,
      )
    }
    const { token, jti, expiresAt } = await accessTokens.create({
      userId: person.id,
      name,
      scope: readOnly ? ['read'] : [],
      ttl: expires,
      createdBy: COMMAND_LINE,
    })
    const resources = [{ type: 'access_token', id: jti, name }]
    await recordAct(store, { event: 'token_created', command: 'token create', resources })
    const json = {
      token,
      id: jti,
      name,
      user: person.username,
      scope: readOnly ? 'read' : '',
      expires_at: expiresAt,
    }
    return { text: `${token}\n`, json }
  })
}

function list(cli: Cli, { user }: { readonly user?: string }) {
  return withStore(cli, async (store): Promise<Outcome> => {
    const tokens = await store.tokens.list(
      user === undefined ? undefined : (await findPerson(store, user)).id,
    )
    const people = new Map((await store.people.list()).map(({ id, username }) => [id, username]))
    const rows = tokens.map((token) => ({
      token,
      user: people.get(token.userId) ?? token.userId,
      state: stateOf(token, cli.now()),
    }))
    return {
      text: table(
        ['ID', 'USER', 'NAME', 'MAY', 'STATE', 'LAST USED', 'EXPIRES'],
        rows.map(({ token, user, state }) => [
          token.jti,
          user,
          token.name,
          token.scope.includes('read') ? 'read' : 'all',
          state,
          minuteOf(token.lastUsedAt, 'never'),
          minuteOf(token.expiresAt, ''),
        ]),
        'There are no access tokens.',
      ),
      json: rows.map(({ token, user, state }) => ({
        id: token.jti,
        user,
        name: token.name,
        scope: token.scope.join(' '),
        state,
        created_at: token.createdAt,
        created_by: token.createdBy ?? null,
        expires_at: token.expiresAt,
        last_used_at: token.lastUsedAt ?? null,
        revoked_at: token.revokedAt ?? null,
      })),
    }
  })
}

function stateOf(token: TokenRecord, now: number): 'revoked' | 'expired' | 'works' {
  if (token.revokedAt !== undefined) return 'revoked'
  return token.expiresAt <= now ? 'expired' : 'works'
}

type RevokeOptions = { readonly user?: string; readonly provider?: string; readonly all?: boolean }

function revoke(cli: Cli, id: string | undefined, { user, provider, all = false }: RevokeOptions) {
  if ([id !== undefined, user !== undefined, all].filter(Boolean).length !== 1)
    throw new UsageError('Say which: an id (token list shows them), --user NAME, or --all.')
  if (id !== undefined) return revokeOne(cli, id)
  return withRecord(cli, async (store): Promise<Outcome> => {
    const person = user === undefined ? undefined : await findPerson(store, user, provider)
    const revoked = await (person === undefined ? store.tokens.revokeAll() : store.tokens.revokeOf(person.id))
    const resources = [{ type: 'user', id: person?.id ?? '*', name: person?.username }]
    await recordAct(store, { event: 'token_revoked', command: 'token revoke', resources })
    const whose = person === undefined ? "everybody's" : `of ${person.username}`
    return {
      text: `${revoked} access tokens ${whose} are revoked.\n`,
      json: { user: person?.username ?? null, revoked },
    }
  })
}

function revokeOne(cli: Cli, id: string) {
  return withRecord(cli, async (store): Promise<Outcome> => {
    if (!(await store.tokens.revoke(id))) {
      throw new GatewayError('ERR_NOT_FOUND', `There is no token ${id} that works. See them with: token list`)
    }
    const resources = [{ type: 'access_token', id }]
    await recordAct(store, { event: 'token_revoked', command: 'token revoke', resources })
    return { text: `Token ${id} is revoked.\n`, json: { id, revoked: true } }
  })
}

import type { Command } from 'commander'
import { recordAct } from './act.ts'
import { addCommand, type Cli, createGroup, minuteOf, type Outcome, table, UsageError } from './command.ts'
import { findPerson } from './lookup.ts'
import { withRecord, withStore } from './store-access.ts'

type Whose = { readonly user?: string; readonly provider?: string }
type RevokeOptions = Whose & { readonly all?: boolean }

const PROVIDER = { flags: '--provider <id>', summary: 'whose user of that name, if several have it' }

/** `sessions list | revoke`: who is signed in in a browser. */
export function sessionCommands(cli: Cli): Command {
  const group = createGroup('sessions', 'who is signed in in a browser')
  addCommand<Whose>(cli, group, {
    usage: 'list',
    summary: 'list the sessions that go on; nobody can sign in with what is shown',
    options: [{ flags: '--user <name>', summary: "only this user's" }, PROVIDER],
    run: (_args, options) => list(cli, options),
  })
  addCommand<RevokeOptions>(cli, group, {
    usage: 'revoke',
    summary: 'end sessions at once; who may sign in can sign in again',
    options: [
      { flags: '--user <name>', summary: "all of this user's" },
      PROVIDER,
      { flags: '--all', summary: "everybody's" },
    ],
    run: (_args, options) => revoke(cli, options),
  })
  return group
}

function list(cli: Cli, { user, provider }: Whose): Promise<Outcome> {
  return withStore(cli, async (store) => {
    const person = user === undefined ? undefined : await findPerson(store, user, provider)
    const sessions = await store.sessions.list(person?.id)
    const people = new Map((await store.people.list()).map(({ id, username }) => [id, username]))
    const rows = sessions.map((session) => ({ session, user: people.get(session.userId) ?? session.userId }))
    return {
      text: table(
        ['USER', 'SINCE', 'ENDS, UNUSED', 'ENDS AT THE LATEST', 'ID'],
        rows.map(({ session, user: name }) => [
          name,
          minuteOf(session.createdAt, ''),
          minuteOf(session.idleExpiresAt, ''),
          minuteOf(session.absoluteExpiresAt, ''),
          session.id,
        ]),
        'Nobody is signed in.',
      ),
      json: rows.map(({ session, user: name }) => ({
        id: session.id,
        user: name,
        created_at: session.createdAt,
        idle_expires_at: session.idleExpiresAt,
        expires_at: session.absoluteExpiresAt,
      })),
    }
  })
}

function revoke(cli: Cli, { user, provider, all = false }: RevokeOptions): Promise<Outcome> {
  if ((user !== undefined) === all) throw new UsageError('Say whose: --user NAME, or --all.')
  return withRecord(cli, async (store) => {
    const person = user === undefined ? undefined : await findPerson(store, user, provider)
    const ended = await (person === undefined
      ? store.sessions.destroyAll()
      : store.sessions.destroyOf(person.id))
    const resources = [{ type: 'user', id: person?.id ?? '*', name: person?.username }]
    await recordAct(store, { event: 'session_ended', command: 'sessions revoke', resources })
    const whose = person === undefined ? "everybody's" : `of ${person.username}`
    return {
      text: `${ended} sessions ${whose} have ended.\n`,
      json: { user: person?.username ?? null, ended },
    }
  })
}

import type { Command } from 'commander'
import type { Person } from '../store/person.ts'
import { recordAct } from './act.ts'
import { addCommand, type Cli, createGroup, minuteOf, type Outcome, table, UsageError } from './command.ts'
import { findPerson } from './lookup.ts'
import { providerIds, type RecordedStore, withRecord, withStore } from './store-access.ts'

type WithProvider = { readonly provider?: string }

const PROVIDER = { flags: '--provider <id>', summary: 'whose user of that name, if several have it' }

/** `user add | list | disable | enable | remove`: the people the gateway knows. */
export function userCommands(cli: Cli): Command {
  const group = createGroup('user', 'the people the gateway knows')
  addCommand<WithProvider>(cli, group, {
    usage: 'add <name>',
    summary: 'add somebody before they first sign in, so that roles and tokens can be given to them',
    options: [
      {
        flags: '--provider <id>',
        summary: 'the provider they will sign in at; needed if several are configured',
      },
    ],
    run: ([name = ''], options) => add(cli, name, options),
  })
  addCommand(cli, group, { usage: 'list', summary: 'list everybody', run: () => list(cli) })
  addCommand<WithProvider>(cli, group, {
    usage: 'disable <name>',
    summary: 'refuse everything of theirs at once, sessions and tokens too',
    options: [PROVIDER],
    run: ([name = ''], options) => setDisabled(cli, { name, disabled: true, ...options }),
  })
  addCommand<WithProvider>(cli, group, {
    usage: 'enable <name>',
    summary: 'let somebody who was disabled in again',
    options: [PROVIDER],
    run: ([name = ''], options) => setDisabled(cli, { name, disabled: false, ...options }),
  })
  addCommand<WithProvider>(cli, group, {
    usage: 'remove <name>',
    summary: 'forget somebody, with their tokens, sessions and what was granted to them; cannot be undone',
    options: [PROVIDER],
    run: ([name = ''], options) => remove(cli, name, options),
  })
  return group
}

function add(cli: Cli, name: string, { provider }: WithProvider) {
  return withRecord(cli, async (store): Promise<Outcome> => {
    const ids = providerIds(cli)
    const chosen = provider ?? (ids.length === 1 ? ids[0] : undefined)
    if (chosen === undefined) {
      throw new UsageError(
        `Several providers are configured. Say which one ${name} signs in at: --provider ${ids.join('|')}`,
      )
    }
    const person = await store.people.add({ username: name, provider: chosen })
    await record(store, 'user add', person)
    return {
      text: `${person.username} is added; who first signs in at ${chosen} as ${name} takes this over.\n`,
      json: toJson(person),
    }
  })
}

function list(cli: Cli) {
  return withStore(cli, async (store): Promise<Outcome> => {
    const people = await store.people.list()
    return {
      text: table(
        ['NAME', 'PROVIDER', 'STATE', 'LAST SEEN', 'ID'],
        people.map((person) => [
          person.username,
          person.provider ?? '',
          stateOf(person),
          minuteOf(person.lastSeenAt, 'never'),
          person.id,
        ]),
        'Nobody is known yet.',
      ),
      json: people.map(toJson),
    }
  })
}

function setDisabled(cli: Cli, wish: WithProvider & { readonly name: string; readonly disabled: boolean }) {
  return withRecord(cli, async (store): Promise<Outcome> => {
    const { name, provider, disabled } = wish
    const person = await findPerson(store, name, provider)
    await store.people.setDisabled(person.id, disabled)
    await record(store, disabled ? 'user disable' : 'user enable', person)
    return {
      text: `${person.username} is ${disabled ? 'disabled' : 'enabled'}.\n`,
      json: toJson({ ...person, disabled }),
    }
  })
}

function remove(cli: Cli, name: string, { provider }: WithProvider) {
  return withRecord(cli, async (store): Promise<Outcome> => {
    const person = await findPerson(store, name, provider)
    await store.people.remove(person.id)
    await record(store, 'user remove', person)
    return { text: `${person.username} is removed.\n`, json: { id: person.id, removed: true } }
  })
}

function record(store: RecordedStore, command: string, { id, username }: Person): Promise<void> {
  return recordAct(store, {
    event: 'user_changed',
    command,
    resources: [{ type: 'user', id, name: username }],
  })
}

function stateOf(person: Person): string {
  if (person.disabled) return 'disabled'
  return person.subject === undefined ? 'not signed in yet' : 'active'
}

function toJson(person: Person) {
  return {
    id: person.id,
    username: person.username,
    provider: person.provider ?? null,
    issuer: person.issuer ?? null,
    subject: person.subject ?? null,
    state: stateOf(person),
    created_at: person.createdAt,
    last_seen_at: person.lastSeenAt ?? null,
  }
}

import type { Command } from 'commander'
import { recordAct } from './act.ts'
import { addCommand, type Cli, createGroup, minuteOf, type Outcome, table } from './command.ts'
import { withKeyring, withStore } from './store-access.ts'

/** `keys rotate | list`: the keys the gateway signs its tokens with. */
export function keyCommands(cli: Cli): Command {
  const group = createGroup('keys', 'the keys the gateway signs its tokens with')
  addCommand<{ readonly now?: boolean }>(cli, group, {
    usage: 'rotate',
    summary: 'make a new signing key; what the old one signed stays valid until it expires',
    options: [
      {
        flags: '--now',
        summary: 'drop the old keys: every access token and every browser session ends at once',
      },
    ],
    run: (_args, { now = false }) => (now ? replace(cli) : rotate(cli)),
  })
  addCommand(cli, group, { usage: 'list', summary: 'list the signing keys', run: () => list(cli) })
  return group
}

function rotate(cli: Cli) {
  return withKeyring(cli, async (keyring, store): Promise<Outcome> => {
    const kid = await keyring.rotate()
    await recordAct(store, {
      event: 'keys_rotated',
      command: 'keys rotate',
      resources: [{ type: 'key', id: kid }],
    })
    return { text: `Key ${kid} signs from now on.\n`, json: { kid } }
  })
}

function replace(cli: Cli) {
  return withKeyring(cli, async (keyring, store): Promise<Outcome> => {
    const { kid, sessions, tokens } = await keyring.replace()
    await recordAct(store, {
      event: 'keys_rotated',
      command: 'keys rotate --now',
      resources: [{ type: 'key', id: kid }],
    })
    return {
      text: `Key ${kid} signs from now on, and the old keys are gone. Ended: ${sessions} sessions, ${tokens} access tokens.\n`,
      json: { kid, sessions, tokens },
    }
  })
}

function list(cli: Cli) {
  return withStore(cli, async (store): Promise<Outcome> => {
    const keys = await store.keys.list()
    return {
      text: table(
        ['KEY', 'ALGORITHM', 'MADE', 'RETIRED'],
        keys.map(({ kid, alg, createdAt, retiredAt }) => [
          kid,
          alg,
          minuteOf(createdAt, ''),
          minuteOf(retiredAt, 'no'),
        ]),
        'There is no signing key yet; the server makes one when it first starts.',
      ),
      json: keys.map(({ kid, alg, createdAt, retiredAt }) => ({
        kid,
        alg,
        created_at: createdAt,
        retired_at: retiredAt ?? null,
      })),
    }
  })
}

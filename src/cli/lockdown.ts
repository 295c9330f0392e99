import type { Command } from 'commander'
import { GatewayError } from '../errors.ts'
import { type LockdownState, REASON_LIMIT } from '../store/lockdown.ts'
import { operatingSystemUser, recordAct } from './act.ts'
import {
  addCommand,
  type Cli,
  createGroup,
  minuteOf,
  type Outcome,
  printable,
  UsageError,
} from './command.ts'
import { withRecord, withStore } from './store-access.ts'

type OnOptions = { readonly readOnly?: boolean; readonly reason?: string }

/** `lockdown on | off | status`: running gateways follow within a second, others when they start. */
export function lockdownCommands(cli: Cli): Command {
  const group = createGroup('lockdown', 'refuse everybody but administrators, or every change')
  addCommand<OnOptions>(cli, group, {
    usage: 'on',
    summary: 'let nobody but administrators in; nobody is signed out',
    options: [
      { flags: '--read-only', summary: 'let everybody in, and nobody change anything in MLflow' },
      { flags: '--reason <text>', summary: 'told to everybody who is refused' },
    ],
    example: "mlflow-auth-gateway lockdown on --reason 'A token got out; back at 9:00'",
    run: (_args, options) => turnOn(cli, options),
  })
  addCommand(cli, group, { usage: 'off', summary: 'end the lockdown', run: () => turnOff(cli) })
  addCommand(cli, group, {
    usage: 'status',
    summary: 'tell whether there is a lockdown',
    run: () => withStore(cli, async (store) => describe(await store.lockdowns.read())),
  })
  return group
}

function turnOn(cli: Cli, { readOnly = false, reason }: OnOptions): Promise<Outcome> {
  if (reason !== undefined && reason.length > REASON_LIMIT)
    throw new UsageError(`The reason is longer than ${REASON_LIMIT} characters.`)
  return withRecord(cli, async (store) => {
    const mode = readOnly ? 'read_only' : 'closed'
    const state = await store.lockdowns.set({ mode, reason, by: operatingSystemUser() })
    const resources = [{ type: 'lockdown', id: mode, name: reason }]
    await recordAct(store, { event: 'lockdown_changed', command: 'lockdown on', resources })
    return describe(state)
  })
}

function turnOff(cli: Cli): Promise<Outcome> {
  return withRecord(cli, async (store) => {
    if (!(await store.lockdowns.clear()))
      throw new GatewayError('ERR_NOT_FOUND', 'There is no lockdown to end. See: lockdown status')
    const resources = [{ type: 'lockdown', id: 'off' }]
    await recordAct(store, { event: 'lockdown_changed', command: 'lockdown off', resources })
    return describe(undefined)
  })
}

function describe(state: LockdownState | undefined): Outcome {
  if (state === undefined) return { text: 'There is no lockdown.\n', json: { mode: 'off' } }
  const { mode, reason, by, since } = state
  const what = mode === 'closed' ? 'Closed but for administrators' : 'Read-only for everybody'
  const why = reason === undefined ? 'no reason given' : `reason: ${printable(reason)}`
  return {
    text: `${what}, since ${minuteOf(since, '')} by ${by}; ${why}.\n`,
    json: { mode, reason: reason ?? null, by, since },
  }
}

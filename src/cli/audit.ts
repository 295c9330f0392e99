import type { Command } from 'commander'
import { lineOf } from '../audit/chain.ts'
import type { AuditQuery, StoredEvent } from '../store/audit-query.ts'
import { type TailOptions, tail } from './audit-tail.ts'
import { addVerifyCommand } from './audit-verify.ts'
import { addCommand, type Cli, createGroup, type Outcome, table } from './command.ts'
import { readMoment } from './moment.ts'
import { withStore } from './store-access.ts'

/** What events are chosen by. */
export type AuditFilter = Pick<AuditQuery, 'since' | 'until' | 'user' | 'operation' | 'effect' | 'reason'>

/** Events held in memory at a time. */
const PAGE = 500

/** `audit list | tail | export | verify`: what was decided and done. */
export function auditCommands(cli: Cli): Command {
  const group = createGroup('audit', 'what was decided and done')
  const moment = (text: string) => readMoment(text, cli.now())
  const filter = [
    { flags: '--since <when>', summary: 'from then on: 2026-11-25, 2026-11-25T09:00Z, or 2h', parse: moment },
    { flags: '--until <when>', summary: 'up to then', parse: moment },
    { flags: '--user <name>', summary: 'whose doing; a username or an id' },
    { flags: '--operation <name>', summary: 'runs.delete, or runs for all of that family' },
    { flags: '--effect <effect>', summary: 'allow, deny or error' },
    { flags: '--reason <reason>', summary: 'no_grant, level_too_low, ...' },
  ]
  addCommand<AuditFilter & { readonly limit?: number }>(cli, group, {
    usage: 'list',
    summary: 'list events, newest first',
    options: [
      ...filter,
      { flags: '--limit <count>', summary: 'most to list; 50 if left out', parse: Number },
    ],
    run: (_args, { limit = 50, ...query }) =>
      list(cli, { ...query, limit: Math.min(Math.max(1, limit || 1), 10_000) }),
  })
  addCommand<TailOptions>(cli, group, {
    usage: 'tail',
    summary:
      'write the newest events, oldest first; with --json a line of JSON each, as the audit file has them',
    options: [
      ...filter,
      { flags: '--limit <count>', summary: 'how many to begin with; 10 if left out', parse: Number },
      { flags: '--follow', summary: 'go on with those that come, until Ctrl-C' },
    ],
    example: 'mlflow-auth-gateway audit tail --follow --effect deny',
    run: (_args, { limit = 10, ...options }) =>
      tail(cli, { ...options, limit: Math.min(Math.max(1, limit || 1), 10_000) }),
  })
  addCommand<AuditFilter>(cli, group, {
    usage: 'export',
    summary: 'write events as lines of JSON, oldest first, as the audit file has them',
    options: filter,
    example: 'mlflow-auth-gateway audit export --since 2026-11-01 | zstd > november.jsonl.zst',
    run: (_args, query) => writeLines(cli, query),
  })
  addVerifyCommand(cli, group)
  return group
}

function list(cli: Cli, query: AuditQuery): Promise<Outcome> {
  return withStore(cli, async (store) => {
    const events = await store.audit.query(query)
    const rows = events.map(columnsOf)
    const head = ['WHEN (UTC)', 'WHO', 'WHAT', 'ON', 'EFFECT', 'REASON', 'REQUEST']
    return { text: table(head, rows, 'There is nothing on record for that.'), json: events }
  })
}

/** When, who, what, on what, effect, reason, request. */
export function columnsOf(event: StoredEvent): readonly string[] {
  return [
    textOf(event, 'at').slice(0, 19),
    textOf(event, 'username') || '-',
    textOf(event, 'operation') || `${textOf(event, 'event')} ${textOf(event, 'path')}`,
    resourcesOf(event),
    textOf(event, 'effect'),
    textOf(event, 'reason'),
    textOf(event, 'requestId'),
  ]
}

function textOf(event: StoredEvent, name: string): string {
  const value = event[name]
  return typeof value === 'string' ? value : ''
}

function resourcesOf({ resources }: StoredEvent): string {
  if (!Array.isArray(resources)) return ''
  return resources.map(({ type, name, id }) => `${type} ${name ?? id}`).join(', ')
}

function writeLines(
  cli: Cli,
  { since, until, user, operation, effect, reason }: AuditFilter,
): Promise<Outcome> {
  const query = { since, until, user, operation, effect, reason, limit: PAGE }
  return withStore(cli, async (store) => {
    for (let after = Number.MIN_SAFE_INTEGER; ; ) {
      const page = await store.audit.lines(query, after)
      cli.out(page.map(lineOf).join(''))
      await cli.drained?.()
      const last = page.at(-1)
      if (last === undefined || page.length < PAGE) return { text: '', json: undefined }
      after = last.number
    }
  })
}

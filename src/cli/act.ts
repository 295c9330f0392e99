import { userInfo } from 'node:os'
import type { AuditEvent, AuditEventKind, AuditedResource } from '../audit/event.ts'
import { createRequestIds } from '../audit/request-id.ts'
import { DEFAULT_WORKSPACE } from '../policy/grants.ts'
import { keepsWorkspacesApart } from '../policy/workspace-name.ts'
import type { Cli } from './command.ts'
import type { RecordedStore } from './store-access.ts'
import { readWorkspaces } from './tracking-servers.ts'

export type Act = {
  readonly event: AuditEventKind
  /** The command, e.g. `role grant`. */
  readonly command: string
  /** Where, if workspaces are kept apart and it is in one. */
  readonly workspace?: string | undefined
  readonly resources: readonly AuditedResource[]
}

/** How who works at the command line appears as `created_by` and in the record. */
export const COMMAND_LINE = 'command line'

/** Puts a change made at the command line on record, under the operating system's name of who made it. */
export async function recordAct(
  store: Pick<RecordedStore, 'audit' | 'chain'>,
  { event, command, workspace, resources }: Act,
): Promise<void> {
  const row: AuditEvent = {
    at: new Date().toISOString(),
    requestId: createRequestIds()(),
    event,
    username: operatingSystemUser(),
    provider: COMMAND_LINE,
    method: 'CLI',
    path: command,
    workspace,
    resources,
    effect: 'allow',
    status: 0,
    bytesIn: 0,
    bytesOut: 0,
    durationMs: 0,
    remoteAddress: '',
  }
  await store.audit.append(store.chain, [store.chain.add(row)])
}

/** A container may run under a user id without a name. */
export function operatingSystemUser(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}

type RoleChange = {
  readonly command: string
  readonly role: { readonly id: string; readonly name: string; readonly workspace?: string | undefined }
  readonly person?: { readonly id: string; readonly username: string }
}

/** As {@link recordAct}, for a change to a role, perhaps of who holds it. */
export function recordRoleChange(
  cli: Cli,
  store: Pick<RecordedStore, 'audit' | 'chain'>,
  { command, role, person }: RoleChange,
): Promise<void> {
  const user = person === undefined ? [] : [{ type: 'user', id: person.id, name: person.username }]
  const resources = [{ type: 'role', id: role.id, name: role.name }, ...user]
  return recordAct(store, { event: 'role_changed', command, workspace: whereOf(cli, role), resources })
}

/** The workspace of a role, for the record; nothing while none are kept apart. */
export function whereOf(cli: Cli, { workspace }: Pick<RoleChange['role'], 'workspace'>): string | undefined {
  return keepsWorkspacesApart(readWorkspaces(cli)) ? (workspace ?? DEFAULT_WORKSPACE) : undefined
}

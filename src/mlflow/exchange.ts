import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Caller } from '../identity/caller.ts'
import type { Demand } from '../policy/decide.ts'
import type { WorkspaceName } from '../policy/workspace-name.ts'
import type { Jobs } from '../store/jobs.ts'
import type { EffectContext } from './effects.ts'
import type { Lookup } from './lookup.ts'
import type { Operation, SwitchName } from './operation.ts'
import type { PageTokens } from './page-token.ts'
import type { Upstream } from './upstream.ts'

/** What every step may use; made once, at start. */
export type Services = {
  /** The id of the tracking server, if it is a further one. */
  readonly server: string | undefined
  /** The workspace that all of it is about; absent for the only one there is. */
  readonly workspace?: WorkspaceName | undefined
  readonly upstream: Upstream
  /** The same with connections of its own, for those who are not signed in: however many they hold, the others have theirs. */
  readonly publicUpstream: Upstream
  /** The same, likewise, for what may take long: files, and answers of models. However slow some are, the others' calls go on. */
  readonly transferUpstream: Upstream
  /** Where files are served, if not by the tracking server itself; else as {@link Services.transferUpstream}. */
  readonly artifactUpstream: Upstream
  readonly lookup: Lookup
  readonly pageTokens: PageTokens
  readonly effects: Pick<EffectContext, 'roles' | 'note' | 'refresh' | 'jobs'>
  /** Whose MLflow's jobs are. */
  readonly jobs: Pick<Jobs, 'isOwner' | 'startedBy'>
  readonly switches: Readonly<Record<SwitchName, boolean>>
  /** Hosts that MLflow may be told to call; empty: any that is public. */
  readonly webhookHosts: readonly string[]
  /** Most bytes of a JSON body. */
  readonly jsonBodyLimit: number
  readonly trustAuthorship: boolean
  /** True if somebody the gateway knows is called so, as MLflow compares names. */
  readonly isUsername: (name: string) => Promise<boolean>
  /** On MLflow's page, besides those of every answer. */
  readonly shellHeaders: readonly string[]
  /** Paths of the scripts that MLflow's page gets, in order, as the browser sees them. */
  readonly shellScripts: readonly string[]
  /** On every answer; names and values alternating, names in lower case. */
  readonly securityHeaders: readonly string[]
}

/** A request on its way, and what the steps found out about it; the audit line is made of it at the end. */
export type Exchange = {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly requestId: string
  /** Address of the client, as far as a trusted proxy or the connection tells. */
  readonly remoteAddress: string
  operation?: Operation
  /** The workspace that the request names; absent for the only one there is. */
  workspace?: WorkspaceName | undefined
  /** Template of the path that matched. */
  path?: string
  /** Absent on what is open to anybody. */
  caller?: Caller
  demands?: readonly Demand[]
  /** All that was asked of the caller's grants, whether they met it or not; of administrators nothing is. */
  asked?: readonly Demand[]
  /** `traceparent` of the client's, where MLflow may get it. */
  callersTrace?: string | undefined
  /** A renewed session token on its way to the browser. */
  setCookie?: readonly string[]
  /** Of the answer's body, once it is sent. */
  bytesOut: number
}

import type { Caller } from '../identity/caller.ts'
import { decide } from '../policy/decide.ts'
import type { Exchange, Services } from './exchange.ts'
import { experimentById } from './locate.ts'
import { isTraceId } from './otlp.ts'

/** W3C Trace Context §3.2, version 00: any other could be read in more ways than this one. */
const TRACEPARENT = /^00-([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/** Where MLflow puts a span of a trace that it does not know: its server has this one for default. */
const DEFAULT_EXPERIMENT = '0'

/**
 * The client's `traceparent` on a call of the AI gateway. There MLflow adds a span of its own to the trace of that id,
 * whoever has it and wherever it is (`_maybe_create_distributed_span`, 3.17.2), which is how people see these calls in
 * the traces of their own code. So it is passed on only where the caller may add spans; else the call goes on without.
 *
 * @returns The header's value; `undefined` if MLflow must not get it.
 * @throws {GatewayError} as `Lookup`.
 */
export async function callersTrace(
  { request }: Pick<Exchange, 'request'>,
  { principal, access }: Caller,
  { lookup, workspace }: Pick<Services, 'lookup' | 'workspace'>,
): Promise<string | undefined> {
  const { traceparent } = request.headers
  if (typeof traceparent !== 'string') return undefined
  const [, id = ''] = TRACEPARENT.exec(traceparent) ?? []
  if (!isTraceId(id)) return undefined
  if (principal.isAdmin) return traceparent
  const locating = { lookup, access, workspace }
  const owner = await lookup.experimentOfTrace(`tr-${id}`)
  const resource = {
    ...(await experimentById(owner ?? DEFAULT_EXPERIMENT, locating)),
    tier: 'trace',
  } as const
  return decide([{ action: 'update', resource }], access).effect === 'allow' ? traceparent : undefined
}

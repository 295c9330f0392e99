import { heldByHand, strangersIn, unmatchedIn } from '../admin/policy-live.ts'
import { isGatewayError } from '../errors.ts'
import type { PolicyFile } from '../policy/policy-file.ts'
import { findingsOf, type PolicyFinding } from '../policy/policy-findings.ts'
import type { Store } from '../store/store.ts'
import type { Cli } from './command.ts'
import { policySetting, providerIds, withUpstreams } from './store-access.ts'
import { readWorkspaces } from './tracking-servers.ts'

/** What in the file has no effect, as far as the file and the configuration tell. */
export function quietFindings(cli: Cli, file: PolicyFile): readonly PolicyFinding[] {
  return findingsOf(file, { setting: policySetting(cli), now: cli.now() })
}

/**
 * The same with what the store tells besides, and the tracking server.
 *
 * @param mustAsk False: the tracking server is asked if one is configured, and left out if it gives no answer.
 * @throws {GatewayError} `ERR_STORE_UNAVAILABLE`, or `ERR_UPSTREAM_*` if the tracking server must be asked.
 */
export async function liveFindings(
  cli: Cli,
  file: PolicyFile,
  { store, mustAsk }: { readonly store: Store; readonly mustAsk: boolean },
): Promise<readonly PolicyFinding[]> {
  const setting = policySetting(cli)
  const quiet = findingsOf(file, { setting, now: cli.now(), heldByHand: await heldByHand(store) })
  const strangers = await strangersIn(file, { store, providerIds: providerIds(cli) })
  const ask = () =>
    withUpstreams(cli, ({ of }) =>
      unmatchedIn(file, {
        upstreamIn: of,
        workspaces: readWorkspaces(cli),
        onProgress: (line) => cli.err(`${line}\n`),
      }),
    )
  const unmatched = mustAsk ? await ask() : cli.env['UPSTREAM_URL'] ? await ask().catch(passOver(cli)) : []
  return [...quiet, ...strangers, ...unmatched].toSorted((a, b) => a.line - b.line)
}

/** Says that names were not looked up; a fault that is not the tracking server's is passed on. */
function passOver(cli: Cli): (fault: unknown) => readonly PolicyFinding[] {
  return (fault) => {
    if (!isGatewayError(fault) || !fault.code.startsWith('ERR_UPSTREAM')) throw fault
    cli.err(`note: names were not looked up on the tracking server: ${fault.message}\n`)
    return []
  }
}

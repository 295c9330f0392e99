import { type ChainKey, readLine } from './chain.ts'
import { type AuditFault, type ChainCheck, createChainCheck } from './chain-check.ts'
import { type ChainReport, createFaults, type VerifyReport } from './verify-report.ts'

export type Line = { readonly text: string; readonly place: string }

/** A chain as far as the lines show it. */
type Seen = { readonly check: ChainCheck; readonly firstSeq: number; events: number; lastDigest: string }

/**
 * As `verifyStore`, for lines of the audit file, of what was collected from standard output, or of an export. Lines that
 * are no audit lines are passed over. Where a chain begins and ends is not sealed here: files go when they are rotated.
 */
export async function verifyLines(
  lines: AsyncIterable<Line>,
  keys: readonly ChainKey[],
): Promise<VerifyReport> {
  const found = createFaults()
  const chains = new Map<string, Seen>()
  let unchained = 0
  for await (const { text, place } of lines) {
    const line = readLine(text)
    if (line === undefined) found.add(text.includes('"log":"audit"') ? [unreadable(place)] : [])
    else if (line.link !== undefined) {
      const seen = chains.get(line.link.chain) ?? begin(line.link.seq, keys)
      chains.set(line.link.chain, seen)
      found.add(seen.check.next({ ...line, link: line.link, place }))
      seen.events += 1
      if (seen.check.last() === line.link.seq) seen.lastDigest = line.link.digest
    } else if (chains.size === 0) unchained += 1
    else found.add([{ kind: 'inserted', place }])
  }
  const reports = [...chains].map(([id, seen]) => reportOf(id, seen))
  const events = reports.reduce((sum, each) => sum + each.events, 0)
  return { chains: reports, events, unchained, ...found.all() }
}

function unreadable(place: string): AuditFault {
  return { kind: 'changed', place }
}

function begin(firstSeq: number, keys: readonly ChainKey[]): Seen {
  const start = { seq: firstSeq - 1, digest: firstSeq === 1 ? '' : undefined }
  return { check: createChainCheck(keys, start), firstSeq, events: 0, lastDigest: '' }
}

function reportOf(id: string, { check, firstSeq, events, lastDigest }: Seen): ChainReport {
  return {
    ...{ id, origin: '', beganAt: undefined, events },
    ...{ prunedUntil: firstSeq - 1, lastSeq: check.last(), lastDigest, state: 'open' },
  }
}

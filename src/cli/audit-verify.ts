import { createReadStream } from 'node:fs'
import { basename } from 'node:path'
import type { Command } from 'commander'
import { type ChainKey, createChainKey } from '../audit/chain.ts'
import { type Line, verifyLines } from '../audit/verify-lines.ts'
import { type ChainReport, faultText, type VerifyReport } from '../audit/verify-report.ts'
import { verifyStore } from '../audit/verify-store.ts'
import { addCommand, type Cli, minuteOf, type Outcome, printable, table } from './command.ts'
import { readSecret, withSecret } from './store-access.ts'

type VerifyOptions = { readonly file?: readonly string[]; readonly oldSecretFile?: string }

/** Longest line that is read, in characters; no event is as long. */
const LINE_LIMIT = 1_000_000

/** Chains told one by one. */
const CHAINS_SHOWN = 20

export function addVerifyCommand(cli: Cli, group: Command): void {
  addCommand<VerifyOptions>(cli, group, {
    usage: 'verify',
    summary: 'find what is not as it was recorded; exit code 1 if anything is',
    options: [
      {
        flags: '--file <paths...>',
        summary: 'look at audit files, or an export, and not at the store',
        parse: gather(),
      },
      { flags: '--old-secret-file <path>', summary: 'an earlier GATEWAY_SECRET, one a line' },
    ],
    example: 'mlflow-auth-gateway audit verify --file /var/log/mlflow-auth-gateway/audit.*.log',
    run: async (_args, options) => outcomeOf(await verify(cli, options)),
  })
}

/** Commander hands over one path at a time. */
function gather() {
  const paths: string[] = []
  return (path: string): readonly string[] => {
    paths.push(path)
    return paths
  }
}

function verify(cli: Cli, { file, oldSecretFile }: VerifyOptions): Promise<VerifyReport> {
  const old = oldSecretFile === undefined ? [] : cli.readFile(oldSecretFile).split('\n')
  const keysOf = (secret: string): [ChainKey, ...ChainKey[]] => [
    createChainKey(secret),
    ...old
      .map((line) => line.trim())
      .filter((line) => line !== '')
      .map(createChainKey),
  ]
  if (file !== undefined) return verifyLines(linesOf(file), keysOf(readSecret(cli)))
  return withSecret(cli, (store, secret) =>
    store.readAudit((snapshot) => verifyStore(snapshot, keysOf(secret))),
  )
}

/** Files of a rotation in the order of their numbers, `audit.9.log` before `audit.10.log`. */
async function* linesOf(paths: readonly string[]): AsyncGenerator<Line> {
  const byNumber = new Intl.Collator('en', { numeric: true })
  for (const path of [...paths].sort(byNumber.compare)) {
    let number = 0
    for await (const text of linesIn(path)) {
      number += 1
      yield { text, place: `${basename(path)} line ${number}` }
    }
  }
}

/** Ends of lines are line feeds only: what JSON leaves as it is, such as U+2028, ends none. */
async function* linesIn(path: string): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of createReadStream(path, { encoding: 'utf8' })) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > LINE_LIMIT)
      throw new Error(`${path} holds a line that is longer than any of an audit file`)
    yield* lines
  }
  if (rest !== '') yield rest
}

function outcomeOf(report: VerifyReport): Outcome {
  const { faults, faultCount } = report
  const isSound = faultCount === 0
  const json = {
    sound: isSound,
    events: report.events,
    unchained: report.unchained,
    fault_count: faultCount,
    faults: faults.map((fault) => ({ ...fault, text: faultText(fault) })),
    chains: report.chains.map(chainToJson),
  }
  return { text: textOf(report), json, failed: !isSound }
}

function textOf({ chains, events, unchained, faults, faultCount }: VerifyReport): string {
  const verdict =
    faultCount === 0
      ? `Nothing is amiss: ${events} events in ${chains.length} chains are as they were recorded.\n`
      : `${faultCount} ${faultCount === 1 ? 'thing is' : 'things are'} not as recorded, among ${events} events in ${chains.length} chains.\n`
  const told = faults.map((fault) => `- ${printable(faultText(fault))}\n`).join('')
  const more = faultCount > faults.length ? `- and ${faultCount - faults.length} more\n` : ''
  const before =
    unchained > 0 ? `${unchained} events are older than the chains: nothing can be said of them.\n` : ''
  const hidden = chains.length - CHAINS_SHOWN
  const newest = chains.slice(-CHAINS_SHOWN)
  const rows = newest.map((chain) => [
    chain.id,
    chain.origin,
    minuteOf(chain.beganAt, ''),
    rangeOf(chain),
    STATES[chain.state],
    chain.lastDigest,
  ])
  const head = ['CHAIN', 'OF', 'BEGAN', 'EVENTS', 'STATE', 'LAST DIGEST']
  const others = hidden > 0 ? `and ${hidden} older chains; --json shows all\n` : ''
  return `${verdict}${told}${more}${before}\n${table(head, rows, 'There are no chains.')}${others}`
}

const STATES: Readonly<Record<ChainReport['state'], string>> = {
  ended: 'ended',
  open: 'open',
  cut_off: 'cut off: did not end by itself; the next began anew',
}

function rangeOf({ prunedUntil, lastSeq }: ChainReport): string {
  if (prunedUntil >= lastSeq) return `1-${lastSeq} taken by retention`
  return prunedUntil === 0 ? `1-${lastSeq}` : `${prunedUntil + 1}-${lastSeq}, those before taken by retention`
}

function chainToJson(chain: ChainReport) {
  return {
    id: chain.id,
    origin: chain.origin,
    began_at: chain.beganAt ?? null,
    state: chain.state,
    events: chain.events,
    pruned_until: chain.prunedUntil,
    last_seq: chain.lastSeq,
    last_digest: chain.lastDigest,
  }
}

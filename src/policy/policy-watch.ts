import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { isGatewayError } from '../errors.ts'
import { createPoll } from './change-feed.ts'
import { type PolicyContent, PolicyError, parsePolicy } from './policy-file.ts'

/** How it stands with the policy file. `lines`: where in the file the faults are, if they are in it. */
export type PolicyState =
  | { readonly ok: true }
  | {
      readonly ok: false
      readonly problem: string
      readonly faults: number
      readonly lines: readonly number[]
    }

/** What a policy file said when it was put in force: a name for it in the record. */
export type AppliedPolicy = {
  /** SHA-256 of its bytes, hexadecimal. */
  readonly digest: string
}

export type PolicyWatchOptions = {
  readonly path: string
  readonly providerIds: readonly string[]
  /** Puts it in force, whole or not at all. @returns False if it was already. */
  readonly apply: (policy: PolicyContent) => Promise<boolean>
  /** Called once a change of the file is in force. */
  readonly onApplied: (applied: AppliedPolicy) => void
  /** Called when the file can no longer be put in force, once for each such state of it, with every fault and line. */
  readonly onFault: (message: string) => void
  readonly pollMs?: number | undefined
}

export type PolicyWatch = {
  /**
   * Puts the file in force as it is now.
   *
   * @throws If it cannot be read, is not in order, or cannot be applied.
   */
  readonly applyNow: () => Promise<void>
  /** Looks at the file once; nothing it finds there is thrown. */
  readonly look: () => Promise<void>
  readonly state: () => PolicyState
  readonly start: () => void
  readonly stop: () => void
}

/** A file over this is no policy: it is not read into memory every few seconds. */
const MOST_BYTES = 8 * 1024 * 1024

const POLL_MS = 2000

/**
 * Follows a policy file while the gateway runs. It is read again every few seconds and told by its bytes, so a change is
 * found however it was made: in place, by rename, or by the symbolic links of a Kubernetes ConfigMap, on file systems that
 * tell nobody of changes too. What is found counts once it was found twice in a row: a file that is just being written may
 * be in order as far as it goes, with half of its roles.
 *
 * A file that is faulty or gone changes nothing: what was in force stays.
 */
export function createPolicyWatch(options: PolicyWatchOptions): PolicyWatch {
  const { path, pollMs = POLL_MS, onFault, onApplied } = options
  let state: PolicyState = { ok: true }
  let applied: string | undefined
  let seen: string | undefined
  /** What is known to be out of order is not read again and again. */
  let refused: { readonly digest: string; readonly fault: PolicyError } | undefined

  const put = async ({ text, digest }: Reading) => {
    const policy = parse(text, digest)
    const changed = await options.apply(policy)
    applied = digest
    state = { ok: true }
    if (changed) onApplied({ digest })
  }
  const parse = (text: string, digest: string) => {
    if (refused?.digest === digest) throw refused.fault
    try {
      return parsePolicy(text, options)
    } catch (fault) {
      if (fault instanceof PolicyError) refused = { digest, fault }
      throw fault
    }
  }
  const fail = (fault: unknown) => {
    const next = stateOf(fault)
    const isNews = state.ok || state.problem !== next.problem
    state = next
    if (isNews) onFault(next.problem)
  }
  const look = async () => {
    const reading = await read(path).catch((fault: Error) => fault)
    const mark = reading instanceof Error ? `fault: ${reading.message}` : reading.digest
    const isSettled = mark === seen
    seen = mark
    if (!isSettled) return
    if (reading instanceof Error) return fail(reading)
    if (reading.digest === applied) {
      state = { ok: true }
      return
    }
    await put(reading).catch(fail)
  }
  const poll = createPoll(look, () => pollMs)
  return {
    applyNow: async () => {
      const reading = await read(path)
      await put(reading)
      seen = reading.digest
    },
    look,
    state: () => state,
    start: poll.start,
    stop: poll.stop,
  }
}

type Reading = { readonly text: string; readonly digest: string }

/** @throws {Error} Without the cause's own words, so that one trouble has one name. */
async function read(path: string): Promise<Reading> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) throw new Error('The policy file is gone, or may not be looked at')
  if (!found.isFile()) throw new Error('The policy file is no file')
  if (found.size > MOST_BYTES) throw new Error('The policy file is larger than 8 MiB')
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined) throw new Error('The policy file cannot be read')
  return { text, digest: createHash('sha256').update(text).digest('hex') }
}

function stateOf(fault: unknown): PolicyState & { readonly ok: false } {
  if (fault instanceof PolicyError) {
    const lines = [...new Set(fault.faults.map(({ line }) => line))]
    return { ok: false, problem: fault.message, faults: fault.faults.length, lines }
  }
  const told = isGatewayError(fault) || fault instanceof Error ? fault.message : 'it could not be applied'
  return { ok: false, problem: told, faults: 1, lines: [] }
}

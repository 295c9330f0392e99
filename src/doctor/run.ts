import { setTimeout as delay } from 'node:timers/promises'
import { scrub } from '../audit/program-log.ts'
import { type Check, type Finding, fault, type Result } from './check.ts'

/** Milliseconds for one check. They run beside each other, so all of them together take little longer. */
const TIMEOUT_MS = 5000

/**
 * Runs all checks at once and hands over what they find in their own order, each as soon as it and those before it are
 * there. Never throws: a check that does, or that takes longer than it may, is a finding.
 */
export async function* runChecks(
  checks: readonly Check[],
  timeoutMs: number = TIMEOUT_MS,
): AsyncGenerator<Result> {
  const running = checks.map(async (check) => ({ name: check.name, ...(await finding(check, timeoutMs)) }))
  for (const result of running) yield await result
}

async function finding({ run }: Check, timeoutMs: number): Promise<Finding> {
  const end = new AbortController()
  const late = delay(timeoutMs, undefined, { signal: end.signal }).then(() =>
    fault({
      what: `it did not come to an end within ${timeoutMs / 1000} s`,
      why: 'Something on the way accepts a connection and then says nothing, or a machine is overloaded.',
      advice: 'Run doctor again; if it stays so, look at firewalls and at the load of what is asked.',
    }),
  )
  // What is left running is told to end, a little before nobody waits for it any more.
  const signal = AbortSignal.timeout(Math.max(1, timeoutMs - 200))
  try {
    return await Promise.race([run(signal), late])
  } catch (error) {
    return unexpected(error)
  } finally {
    end.abort()
    late.catch(() => undefined)
  }
}

function unexpected(error: unknown): Finding {
  const message = error instanceof Error ? error.message : 'a value that is no error was thrown'
  return fault({
    what: `it could not be looked at: ${scrub(message)}`,
    why: 'The check itself failed, so nothing is known.',
    advice: 'Correct what the message names; if it names nothing of yours, please report it.',
  })
}

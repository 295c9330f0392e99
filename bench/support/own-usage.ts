import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Usage } from './report-usage.ts'

/** What `readUsage` needs Node to load with `--import`. */
export const REPORT_USAGE = fileURLToPath(new URL('./report-usage.ts', import.meta.url))

/** What the process says it has used, to the microsecond: for what is too short for the system's clock ticks. */
export async function readUsage(subject: { readonly process: ChildProcess }): Promise<Usage> {
  const answer = once(subject.process, 'message') as Promise<[Usage]>
  subject.process.send('usage')
  const [usage] = await answer
  return usage
}

import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { GatewaySubject } from '../../bench/support/gateway-subject.ts'
import type { Heap } from './report-heap.ts'

/** What the gateway loads (`--import`), over an IPC channel, so that it can be asked. */
export const REPORT_HEAP = fileURLToPath(new URL('./report-heap.ts', import.meta.url))

export async function heapOf({ process: child }: GatewaySubject, message: 'collect' | 'look'): Promise<Heap> {
  const answer = once(child, 'message') as Promise<[Heap]>
  child.send(message)
  const [heap] = await answer
  return heap
}

import { type Chain, createChain, createChainKey } from '../../src/audit/chain.ts'
import type { AuditEvent } from '../../src/audit/event.ts'
import type { AppendedEvent, StorableEvent } from '../../src/store/audit.ts'

export const TEST_KEY = createChainKey('a-secret-of-the-tests-0123456789-abcdef')

/** A chain as a gateway that starts begins one. */
export function testChain(key = TEST_KEY): Chain {
  return createChain(key, 'gateway@test')
}

/** Events as the chain's next ones, for the store. */
export function chained(chain: Chain, events: readonly StorableEvent[]): AppendedEvent[] {
  return events.map((event) => chain.add(event as AuditEvent))
}

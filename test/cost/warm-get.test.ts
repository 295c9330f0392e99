import { expect, it } from 'vitest'
import { readStored } from './stored.ts'
import { costOfWarmGet } from './warm-get.ts'

/** Three times what counts differ by on the same code, so whoever crosses it has changed something. */
const MARGIN = 0.05

/** Nobody would notice the way back to what is stored, if that were much too high. */
const SLACK = 0.1

/**
 * What a warm read costs, by what a slow or busy machine does not change. CPU time is what counts in the end and is
 * measured by `npm run bench`; whatever is done for each request that was not done before allocates something, and is seen
 * here first. That it runs no SQL is held by `test/plugins/warm-path.test.ts`.
 */
it('a warm read allocates no more than before, and asks MLflow once', { timeout: 120_000 }, async () => {
  const stored = readStored()
  const cost = await costOfWarmGet()
  expect(cost.upstreamRequests).toBe(1)
  const change = cost.allocatedBytes / stored.allocatedBytes - 1
  const told = `${cost.allocatedBytes} bytes for each read, ${stored.allocatedBytes} stored (Node ${stored.node})`
  const renew = 'renew it with `npm run cost:renew`, and say in the commit what it is for'
  expect(change, `${told}: find out what came to it, or if it is worth it, ${renew}`).toBeLessThan(MARGIN)
  expect(change, `${told}: it has become cheaper; so that it stays so, ${renew}`).toBeGreaterThan(-SLACK)
})

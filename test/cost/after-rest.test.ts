import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type FixedUpstream, startArtifactUpstream } from '../../bench/support/fixed-upstream.ts'
import { type GatewaySubject, startGatewaySubject } from '../../bench/support/gateway-subject.ts'
import { transfer } from '../../bench/support/transfer.ts'
import { heapOf, REPORT_HEAP } from './heap-of.ts'

const DELAY = '--gc-memory-reducer-start-delay-ms=200'
/** V8 takes a rest of 8 seconds for one, if not told otherwise; then it collects once or twice. */
const REST_MS = 3000
const SIZE = 512 * 1024 * 1024

const dir = mkdtempSync(join(tmpdir(), 'after-rest-'))
let artifacts: FixedUpstream
let gateway: GatewaySubject

beforeAll(async () => {
  artifacts = await startArtifactUpstream()
  const nodeOptions = ['--expose-gc', DELAY, '--import', REPORT_HEAP]
  gateway = await startGatewaySubject({ upstreamUrl: artifacts.url, dir, nodeOptions, roles: 1, ipc: true })
})

afterAll(async () => {
  await gateway?.stop()
  await artifacts?.stop()
  rmSync(dir, { recursive: true, force: true })
})

/** After a rest V8 lets a heap grow by a third only, and the bytes of buffers that are not freed yet count: see `src/heap.ts`. */
it.each(['up', 'down'] as const)(
  'an artifact %s does not have the whole heap collected again and again',
  {
    timeout: 60_000,
  },
  async (direction) => {
    await transfer(gateway, direction, SIZE)
    await heapOf(gateway, 'collect')
    await delay(REST_MS)
    const { wholeCollections: before } = await heapOf(gateway, 'look')
    await transfer(gateway, direction, SIZE)
    const { wholeCollections: after } = await heapOf(gateway, 'look')
    expect(after - before).toBeLessThan(4)
  },
)

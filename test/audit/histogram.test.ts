import { Histogram, Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { createHistogram } from '../../src/audit/histogram.ts'

const BUCKETS = [0.001, 0.01, 1, 60]
const ABOUT = { name: 'gateway_something_seconds', help: 'How long, and "why"', buckets: BUCKETS }

/** Between, at and beyond the bounds. */
const OBSERVED = [0, 0.0005, 0.001, 0.0011, 0.5, 1, 59.9, 60, 61, 1e9]

describe('tells what prom-client’s own would', () => {
  it('without a label, from the first moment on', async () => {
    const [theirs, ours] = [new Registry(), new Registry()]
    const their = new Histogram({ ...ABOUT, buckets: [...BUCKETS], registers: [theirs] })
    const our = createHistogram(ABOUT)
    our.register(ours)
    expect(await ours.metrics()).toBe(await theirs.metrics())
    for (const value of OBSERVED) {
      their.observe(value)
      our.labelled('')(value)
      expect(await ours.metrics()).toBe(await theirs.metrics())
    }
  })

  it('with one, each value once it was seen', async () => {
    const [theirs, ours] = [new Registry(), new Registry()]
    const their = new Histogram({
      ...{ ...ABOUT, buckets: [...BUCKETS], labelNames: ['effect'] as const },
      registers: [theirs],
    })
    const our = createHistogram({ ...ABOUT, label: { name: 'effect', values: ['allow', 'deny', 'error'] } })
    our.register(ours)
    expect(await ours.metrics()).toBe(await theirs.metrics())
    for (const [index, value] of OBSERVED.entries()) {
      const effect = index < 6 ? 'allow' : 'deny'
      their.labels(effect).observe(value)
      our.labelled(effect)(value)
      expect(await ours.metrics()).toBe(await theirs.metrics())
    }
  })
})

import Fastify from 'fastify'
import { describe, expect, it } from 'vitest'
import { metrics } from '../../plugins/metrics.ts'
import { createMetrics } from '../../src/audit/metrics.ts'
import { decision } from '../audit/event-examples.ts'

async function start() {
  const app = Fastify()
  const values = createMetrics({
    auditDropped: () => 7,
    cacheSizes: () => ({ tokens: 12, members: 3 }),
    unknownRoutes: () => 5,
    lockdown: () => 'closed',
    upstreamVersion: () => '3.17.2',
  })
  await app.register(metrics, { metrics: values, port: 0, host: '127.0.0.1' })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return { app, values, url: `http://127.0.0.1:${app.metricsAddress()?.port}` }
}

describe('the metrics', () => {
  it('are on their own port, and nothing else is', async () => {
    const { app, url } = await start()
    expect((await fetch(`${url}/metrics`)).status).toBe(200)
    expect((await fetch(`${url}/metrics/`)).status).toBe(404)
    expect((await fetch(`${url}/metrics`, { method: 'POST' })).status).toBe(404)
    expect((await app.inject('/metrics')).statusCode).toBe(404)
    await app.close()
    await expect(fetch(`${url}/metrics`)).rejects.toThrow()
  })

  it('count decisions by operation and effect, durations, caches and what was dropped', async () => {
    const { app, values, url } = await start()
    values.observe(decision({ effect: 'allow', durationMs: 3 }))
    values.observe(decision({ effect: 'allow', durationMs: 30 }))
    values.observe(decision({ effect: 'deny', durationMs: 1 }))
    values.observe(decision({ operation: undefined, effect: 'error' }))
    values.observe(decision({ event: 'sign_in' }))
    await fetch(`${url}/metrics`) // asking twice must not count twice
    const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n')
    for (const line of [
      'gateway_decisions_total{operation="experiments.get",effect="allow"} 2',
      'gateway_decisions_total{operation="experiments.get",effect="deny"} 1',
      'gateway_decisions_total{operation="none",effect="error"} 1',
      'gateway_request_duration_seconds_count{effect="allow"} 2',
      'gateway_request_duration_seconds_bucket{le="0.005",effect="allow"} 1',
      'gateway_events_total{event="sign_in",effect="allow"} 1',
      'gateway_audit_dropped_total 7',
      'gateway_cache_entries{cache="tokens"} 12',
      'gateway_unknown_routes_total 5',
      'gateway_upstream_info{version="3.17.2"} 1',
    ]) {
      expect(lines).toContain(line)
    }
    expect(lines.some((line) => line.startsWith('process_resident_memory_bytes'))).toBe(true)
    await app.close()
  })
})

import Fastify from 'fastify'
import { describe, expect, it } from 'vitest'
import { metrics } from '../../plugins/metrics.ts'
import { createMeasurements } from '../../src/audit/measurements.ts'
import { createMetrics } from '../../src/audit/metrics.ts'
import { decision } from '../audit/event-examples.ts'

async function start() {
  const app = Fastify()
  const measurements = createMeasurements()
  const values = createMetrics({
    auditDropped: () => 7,
    cacheSizes: () => ({ tokens: 12, members: 3 }),
    unknownRoutes: () => 5,
    lockdown: () => 'closed',
    upstreamVersions: () => [
      { id: undefined, version: '3.17.2' },
      { id: 'staging', version: undefined },
    ],
    measurements,
    operating: {
      parts: async () => ({ store: true, upstream: false }),
      sessions: async () => 4,
      accessTokens: () => Promise.reject(new Error('the store is away')),
    },
  })
  await app.register(metrics, { metrics: values, port: 0, host: '127.0.0.1' })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return { app, values, measurements, url: `http://127.0.0.1:${app.metricsAddress()?.port}` }
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
      'gateway_upstream_info{version="unknown",upstream="staging"} 1',
    ]) {
      expect(lines).toContain(line)
    }
    expect(lines.some((line) => line.startsWith('process_resident_memory_bytes'))).toBe(true)
    await app.close()
  })

  it('tell how long decisions and answers take, how caches do, and what is in the store', async () => {
    const { app, measurements, url } = await start()
    measurements.allowed(0.2)
    measurements.upstreamAnswered('look_up', 7)
    measurements.providerAnswered('corp', 'failed')
    measurements.lookups.hits += 3
    await fetch(`${url}/metrics`)
    const text = await (await fetch(`${url}/metrics`)).text()
    for (const line of [
      'gateway_decision_duration_seconds_bucket{le="0.00025"} 1',
      'gateway_upstream_duration_seconds_bucket{le="0.01",purpose="look_up"} 1',
      'gateway_upstream_duration_seconds_count{purpose="look_up"} 1',
      'gateway_provider_requests_total{provider="corp",outcome="failed"} 1',
      'gateway_cache_requests_total{cache="lookups",result="hit"} 3',
      'gateway_cache_requests_total{cache="credentials",result="miss"} 0',
      'gateway_part_up{part="store"} 1',
      'gateway_part_up{part="upstream"} 0',
      'gateway_sessions 4',
    ]) {
      expect(text.split('\n')).toContain(line)
    }
    // What could not be counted is not there, rather than what it last was.
    expect(text).not.toMatch(/^gateway_access_tokens /m)
    await app.close()
  })

  it('answers 500 and goes on when they cannot be put together', async () => {
    const app = Fastify()
    const broken = {
      render: () => Promise.reject(new Error('no')),
      contentType: 'text/plain',
      observe: () => {},
    }
    await app.register(metrics, { metrics: broken, port: 0, host: '127.0.0.1' })
    await app.listen({ port: 0, host: '127.0.0.1' })
    const url = `http://127.0.0.1:${app.metricsAddress()?.port}/metrics`
    expect([(await fetch(url)).status, (await fetch(url)).status]).toEqual([500, 500])
    await app.close()
  })
})

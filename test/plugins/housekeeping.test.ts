import Fastify from 'fastify'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { housekeeping } from '../../plugins/housekeeping.ts'

const HOUR_MS = 3_600_000

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('housekeeping', () => {
  it('does every task once an hour, also after one has failed, and none after closing', async () => {
    const done: string[] = []
    const task = (name: string, fails: boolean) => async () => {
      done.push(name)
      if (fails) throw new Error('database is locked')
    }
    const app = Fastify()
    await app.register(housekeeping, {
      tasks: { sessions: task('sessions', true), audit: task('audit', false) },
    })
    for (let hour = 0; hour < 2; hour += 1) {
      vi.advanceTimersByTime(HOUR_MS)
      await new Promise(setImmediate)
    }
    expect(done).toEqual(['sessions', 'audit', 'sessions', 'audit'])
    await app.close()
    vi.advanceTimersByTime(HOUR_MS)
    expect(done).toHaveLength(4)
  })
})

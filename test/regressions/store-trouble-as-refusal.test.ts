/**
 * The other way round again: trouble of ours that looked like a refusal (field report 94). A store that is locked, gone
 * or broken made valid credentials "unknown", so scripts stopped and people signed in again and again; and what was in
 * memory went on counting for ever, so that nobody could be locked out meanwhile. Trouble is 503 and on record as an
 * error; memory counts for seconds; a store that works again is used again.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Ask } from '../support/spoken-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

const READ = '/api/2.0/mlflow/experiments/get?experiment_id=1'
const TROUBLE = '503 TEMPORARILY_UNAVAILABLE ERR_STORE_UNAVAILABLE'

/** How long what is in memory counts without the changes being followed, seconds. */
const CERTAIN_FOR = 5

let gateway: TestGateway
beforeEach(async () => {
  gateway = await startTestGateway({ pollMs: 10 })
})
afterEach(async () => {
  vi.useRealTimers()
  await gateway.stop()
})

/** The tables are there no more, as after a restore gone wrong; the database is. */
async function breakStore(): Promise<void> {
  for (const table of TABLES) await gateway.database.query(`alter table ${table} rename to gone_${table}`)
}
async function healStore(): Promise<void> {
  for (const table of TABLES) await gateway.database.query(`alter table gone_${table} rename to ${table}`)
}
const TABLES = ['changes', 'access_tokens', 'sessions', 'users', 'roles']

/** Lets `seconds` pass for whoever asks what time it is; nothing waits for it. */
function pass(seconds: number): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + seconds * 1000 })
}

const basic = (token: string) => `Authorization: Basic ${Buffer.from(`x:${token}`).toString('base64')}`
const cookie = () => gateway.members.editor.cookie

/** Every form of a good credential that nobody has seen yet. */
const COLD: readonly (readonly [string, () => Ask])[] = [
  ['a token', () => ({ target: READ, as: 'reader' })],
  ['a token as a password', () => ({ target: READ, headers: [basic(gateway.members.reader.token)] })],
  ["a session's token", () => ({ target: READ, headers: [`Cookie: ${cookie().split('; ')[1]}`] })],
  ['both cookies', () => ({ target: READ, headers: [`Cookie: ${cookie()}`] })],
  ['a session to be renewed', () => ({ target: READ, headers: [`Cookie: ${cookie().split('; ')[0]}`] })],
]

describe('field report 94: a store that does not answer', () => {
  it('is no reason to call a good credential bad, nor to let a bad one in', async () => {
    await breakStore()
    for (const [name, ask] of COLD) {
      const { line, event, headers, reached, text } = await gateway.ask(ask())
      expect([name, line, event?.effect, reached]).toEqual([name, TROUBLE, 'error', []])
      expect(headers['www-authenticate']).toBeUndefined()
      expect(headers['set-cookie']).toBeUndefined()
      expect(text).not.toMatch(/sqlite|table|gone_|select|\.db/i)
    }
    // What is wrong without asking the store is still wrong.
    const forged = `${gateway.members.admin.token.slice(0, -8)}AAAAAAAA`
    const headers = [`Authorization: Bearer ${forged}`]
    expect((await gateway.ask({ target: READ, headers })).status).toBe(401)
    expect((await gateway.ask({ target: READ })).status).toBe(401)
    expect((await gateway.ask({ target: '/static-files/main.js' })).status).toBe(200)
    expect((await gateway.ask({ target: '/healthz' })).status).toBe(200)

    await healStore()
    for (const [name, ask] of COLD)
      expect([name, (await gateway.ask(ask())).line]).toEqual([name, '200 allow'])
  })

  it('lets what is in memory count for seconds, and then nobody in', async () => {
    const warm = [COLD[0], COLD[3]].flatMap((each) => (each === undefined ? [] : [each[1]()]))
    for (const ask of warm) expect((await gateway.ask(ask)).line).toBe('200 allow')
    await breakStore()
    for (const ask of warm) expect((await gateway.ask(ask)).line).toBe('200 allow')
    pass(CERTAIN_FOR + 2)
    for (const ask of warm) {
      const { line, reached } = await gateway.ask(ask)
      expect([line, reached]).toEqual([TROUBLE, []])
    }
    await healStore()
    for (const ask of warm) expect((await gateway.ask(ask)).line).toBe('200 allow')
  })

  it('cannot hide that a token was revoked meanwhile', async () => {
    const { token } = gateway.members.reader
    const ask: Ask = { target: READ, as: 'reader' }
    expect((await gateway.ask(ask)).line).toBe('200 allow')
    await breakStore()
    const [, payload = ''] = token.split('.')
    const { jti } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { jti: string }
    const { query } = gateway.database
    await query(`update gone_access_tokens set revoked_at = 1 where jti = '${jti}'`)
    await query(`insert into gone_changes (kind, key, at) values ('token', '${jti}', 1)`)
    pass(CERTAIN_FOR + 2)
    expect((await gateway.ask(ask)).line).toBe(TROUBLE)
    await healStore()
    const { line, reached } = await gateway.ask(ask)
    expect([line, reached]).toEqual(['401 UNAUTHENTICATED revoked', []])
  })

  it('shows on the probe that decides about traffic, not on the one that decides about life', async () => {
    await breakStore()
    const { status, text } = await gateway.ask({ target: '/readyz' })
    expect([status, JSON.parse(text).parts.store.status]).toEqual([503, 'failed'])
    expect(text).not.toMatch(/sqlite|table|\.db/i)
    expect((await gateway.ask({ target: '/healthz' })).status).toBe(200)
  })

  it('for writing only is told to whoever made a thing: its grant could not be kept', async () => {
    await gateway.ask({ target: READ, as: 'editor' })
    await gateway.database.refuseInserts('grants')
    const json = { name: 'alpha/new' }
    const target = '/api/2.0/mlflow/experiments/create'
    const refused = await gateway.ask({ method: 'POST', target, as: 'editor', json })
    expect(refused.line).toBe('503 TEMPORARILY_UNAVAILABLE effect_failed')
    expect(refused.message).toContain('MLflow did what was asked')
    expect(refused.text).not.toContain('disk full')
  })
})

describe('a store whose write lock another process holds', () => {
  it('is still read: neither memory nor a first look waits for it', async () => {
    expect((await gateway.ask({ target: READ, as: 'reader' })).line).toBe('200 allow')
    const release = await gateway.database.holdWriteLock()
    // Written in the background, every few seconds.
    const touching = gateway.store.tokens.touch(new Map([['x', 1]]))
    const since = performance.now()
    await gateway.store.tokens.get('x')
    for (const [name, ask] of COLD.slice(0, 4)) {
      expect([name, (await gateway.ask(ask())).line]).toEqual([name, '200 allow'])
    }
    expect(performance.now() - since).toBeLessThan(1000)
    await release()
    await touching
  })

  it('is waited for by what has to be written', async () => {
    const release = await gateway.database.holdWriteLock()
    const renewal: Ask = { target: READ, headers: [`Cookie: ${cookie().split('; ')[0]}`] }
    const answer = gateway.ask(renewal)
    setTimeout(release, 300)
    expect((await answer).line).toBe('200 allow')
  })
})

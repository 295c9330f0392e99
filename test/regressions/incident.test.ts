/**
 * Something has happened, and somebody at the command line ends it while gateways run: locks down, ends sessions and
 * tokens, throws the keys away. Each holds within a second in a gateway that was not asked, is on record, and undoes
 * nothing else.
 */
import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { runCli } from '../../src/cli/program.ts'
import { CATALOGUE } from '../../src/mlflow/catalogue.ts'
import { RUN_A } from '../support/mlflow-stand-in.ts'
import type { Ask } from '../support/spoken-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import type { MemberName } from '../support/test-members.ts'

const EXPERIMENT = { target: '/api/2.0/mlflow/experiments/get?experiment_id=1' }
const SEARCH = { method: 'POST', target: '/api/2.0/mlflow/experiments/search', json: { max_results: 5 } }
const METRIC = {
  method: 'POST',
  target: '/api/2.0/mlflow/runs/log-metric',
  json: { run_id: RUN_A, key: 'k', value: 1 },
}
const STATIC = { target: '/static-files/static/js/main.js' }
const CLOSED = '503 TEMPORARILY_UNAVAILABLE lockdown_closed'
const READ_ONLY = '503 TEMPORARILY_UNAVAILABLE lockdown_read_only'

let gateway: TestGateway

async function cli(...args: readonly string[]): Promise<string> {
  const [out, code] = await tried(...args)
  if (code !== 0) throw new Error(`${args.join(' ')}: ${out}`)
  return out
}

async function tried(...args: readonly string[]): Promise<readonly [string, number]> {
  let out = ''
  const code = await runCli(args, {
    env: gateway.env,
    now: () => Math.floor(Date.now() / 1000),
    readFile: (path) => readFileSync(path, 'utf8'),
    out: (text) => (out += text),
    err: (text) => (out += text),
  })
  return [out, code]
}

/** Asks until the answer is that one; fails after a second. */
async function soon(ask: Ask, line: string): Promise<void> {
  await expect.poll(async () => (await gateway.ask(ask)).line, { timeout: 1000, interval: 50 }).toBe(line)
}

const withCookie = (as: MemberName, ask: Ask): Ask => ({
  ...ask,
  headers: [`Cookie: ${gateway.members[as].cookie}`, `Origin: ${gateway.url}`],
})

const lastActs = async (count: number) =>
  (await gateway.store.audit.query({ limit: 1000 }))
    .filter(({ method }) => method === 'CLI')
    .slice(0, count)
    .map(({ event, path, resources }) => [event, path, resources])

describe('lockdown', () => {
  beforeAll(async () => {
    // As often as a gateway really looks.
    gateway = await startTestGateway({ pollMs: 500, env: { METRICS_PORT: '0' } })
  })
  afterAll(() => gateway.stop())
  afterEach(async () => {
    await tried('lockdown', 'off')
    await soon({ ...EXPERIMENT, as: 'reader' }, '200 allow')
  })

  const metric = async (mode: string) => {
    const port = gateway.app.metricsAddress()?.port
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    return new RegExp(`gateway_lockdown\\{mode="${mode}"\\} (\\d)`).exec(text)?.[1]
  }

  it('closes the gateway for everybody but administrators, says why, and is seen', async () => {
    expect((await gateway.ask({ ...EXPERIMENT, as: 'editor' })).line).toBe('200 allow')
    await cli('lockdown', 'on', '--reason', 'a token got out; back at 9:00')
    await soon({ ...EXPERIMENT, as: 'editor' }, CLOSED)
    gateway.upstream.forget()
    const refused = await gateway.ask({ ...EXPERIMENT, as: 'reader' })
    expect(refused.message).toContain('a token got out; back at 9:00')
    expect(refused.event).toMatchObject({ effect: 'deny', username: undefined })
    const theirs: readonly (readonly [Ask, string])[] = [
      [withCookie('editor', EXPERIMENT), CLOSED],
      [{ ...METRIC, as: 'editor' }, CLOSED],
      [{ target: '/auth/api/v1/me', as: 'editor' }, '503 TEMPORARILY_UNAVAILABLE -'],
      [{ target: '/api/2.0/mlflow/users/get?username=editor', as: 'editor' }, CLOSED],
      [
        withCookie('editor', { method: 'POST', target: '/auth/api/v1/tokens', json: { name: 'x' } }),
        '503 TEMPORARILY_UNAVAILABLE -',
      ],
      [{ ...STATIC }, '401 UNAUTHENTICATED no_credential'],
      [{ target: '/health' }, '401 UNAUTHENTICATED no_credential'],
      [EXPERIMENT, '401 UNAUTHENTICATED no_credential'],
    ]
    for (const [ask, line] of theirs)
      expect([ask.target, (await gateway.ask(ask)).line]).toEqual([ask.target, line])
    expect(gateway.upstream.requests).toEqual([])

    expect((await gateway.ask({ ...EXPERIMENT, as: 'admin' })).line).toBe('200 allow')
    expect((await gateway.ask(withCookie('admin', METRIC))).line).toBe('200 allow')
    expect((await gateway.ask(withCookie('admin', STATIC))).status).toBe(200)
    // Signing in and out goes on.
    expect((await gateway.ask({ target: '/auth/login' })).status).toBe(200)
    expect((await gateway.ask(withCookie('editor', { target: '/auth/logout' }))).status).toBe(200)
    const { status, text } = await gateway.ask({ target: '/readyz' })
    expect([status, JSON.parse(text).parts.lockdown]).toEqual([
      200,
      { status: 'ok', mode: 'closed', since: expect.any(Number) },
    ])
    expect(text).not.toContain('token got out')
    expect([await metric('closed'), await metric('read_only')]).toEqual(['1', '0'])

    await cli('lockdown', 'off')
    await soon({ ...EXPERIMENT, as: 'editor' }, '200 allow')
    expect(await lastActs(2)).toEqual([
      ['lockdown_changed', 'lockdown off', [{ type: 'lockdown', id: 'off' }]],
      [
        'lockdown_changed',
        'lockdown on',
        [{ type: 'lockdown', id: 'closed', name: 'a token got out; back at 9:00' }],
      ],
    ])
  })

  it('may be read-only: by what an operation does and not by its method, for administrators too', async () => {
    await cli('lockdown', 'on', '--read-only', '--reason', 'the database is moved')
    await soon({ ...METRIC, as: 'editor' }, READ_ONLY)
    gateway.upstream.forget()
    const { message } = await gateway.ask({ ...METRIC, as: 'admin' })
    expect(message).toContain('runs.log_metric does more than read: the database is moved')
    expect(gateway.forwarded()).toEqual([])
    for (const as of ['editor', 'admin'] as const) {
      expect((await gateway.ask({ ...SEARCH, as })).line).toBe('200 allow')
      expect((await gateway.ask({ ...EXPERIMENT, as })).line).toBe('200 allow')
    }
    // What the gateway keeps is for administrators to change, and for everybody to end.
    const role = (as: MemberName) =>
      gateway.ask({
        method: 'POST',
        target: '/api/3.0/mlflow/roles/create',
        json: { name: `r-${as}`, workspace: 'default' },
        as,
      })
    expect([(await role('editor')).line, (await role('admin')).line]).toEqual([READ_ONLY, '200 allow'])
    const ask = {
      method: 'POST',
      target: '/auth/api/v1/requests',
      json: { resource_type: 'experiment', key: '1', level: 'READ' },
    }
    expect((await gateway.ask({ ...ask, as: 'outsider' })).line).toBe(READ_ONLY)
    expect(await metric('read_only')).toBe('1')
  })

  it('refuses every operation that is not a reading one, and no other, before anything is read', async () => {
    await cli('lockdown', 'on', '--read-only')
    await soon({ ...METRIC, as: 'editor' }, READ_ONLY)
    gateway.upstream.forget()
    const seen: string[] = []
    for (const operation of CATALOGUE) {
      const plain = operation.paths.find(({ text }) => !text.includes('<'))
      const [method] = operation.methods
      if (plain === undefined || method === undefined) continue
      const { event } = await gateway.ask({
        method,
        target: plain.text,
        as: 'admin',
        ...(method === 'GET' ? {} : { json: {} }),
      })
      if (event?.operation !== operation.name) continue
      seen.push(operation.name)
      expect([operation.name, event.reason === 'lockdown_read_only']).toEqual([
        operation.name,
        !operation.readOnly,
      ])
    }
    expect(seen.length).toBeGreaterThan(150)
  })

  it('stops what was begun before it, if its body comes after it', async () => {
    const body = JSON.stringify(METRIC.json)
    const head = [
      `POST ${METRIC.target} HTTP/1.1`,
      `Host: 127.0.0.1:${gateway.port}`,
      `Authorization: Bearer ${gateway.members.editor.token}`,
      'Content-Type: application/json',
      `Content-Length: ${body.length}`,
    ]
    gateway.upstream.forget()
    const sent = new Promise<Buffer[]>((resolve) => {
      setTimeout(async () => {
        await cli('lockdown', 'on')
        await soon({ ...EXPERIMENT, as: 'reader' }, CLOSED)
        resolve([Buffer.from(body)])
      }, 50)
    })
    const answer = await slowly(`${head.join('\r\n')}\r\n\r\n`, sent)
    expect(answer).toMatch(/^HTTP\/1\.1 503 /)
    expect(gateway.forwarded().filter(({ method }) => method === 'POST')).toEqual([])
  })

  it('is done and undone by administrators through the JSON API, in force at once', async () => {
    const put = (json: object, as: MemberName = 'admin') =>
      gateway.ask({ method: 'PUT', target: '/auth/api/v1/lockdown', json, as })
    expect((await put({ mode: 'closed' }, 'editor')).line).toBe('403 PERMISSION_DENIED admin_only')
    expect((await put({ mode: 'off' })).status).toBe(400)
    const { text, event } = await put({ mode: 'closed', reason: 'look' })
    expect(JSON.parse(text)).toEqual({
      mode: 'closed',
      reason: 'look',
      by: 'admin',
      since: expect.any(Number),
    })
    expect(event).toMatchObject({ event: 'lockdown_changed', username: 'admin' })
    expect((await gateway.ask({ ...EXPERIMENT, as: 'reader' })).line).toBe(CLOSED)
    const page = await gateway.ask(withCookie('admin', { target: '/auth/admin' }))
    expect(page.text).toContain('Locked down: nobody but administrators gets in')
    expect(
      (await gateway.ask({ method: 'DELETE', target: '/auth/api/v1/lockdown', as: 'admin' })).status,
    ).toBe(204)
    expect((await gateway.ask({ ...EXPERIMENT, as: 'reader' })).line).toBe('200 allow')
    expect(
      (await gateway.ask({ method: 'DELETE', target: '/auth/api/v1/lockdown', as: 'admin' })).status,
    ).toBe(404)
  })

  it('that cannot be read closes the gateway', async () => {
    await cli('lockdown', 'on', '--read-only')
    await gateway.database.query(`update settings set value = 'nonsense' where name = 'lockdown'`)
    await gateway.store.changes.note('lockdown', '*')
    await soon({ ...EXPERIMENT, as: 'reader' }, CLOSED)
  })

  it('that was there before is in force from the first request on', async () => {
    await cli('lockdown', 'on', '--reason', 'before the start')
    const { buildApp } = await import('../../src/app.ts')
    const { readConfig } = await import('../../src/config.ts')
    const second = await buildApp({ config: readConfig(gateway.env), logger: false })
    const authorization = `Bearer ${gateway.members.reader.token}`
    const answer = await second.inject({
      url: EXPERIMENT.target,
      headers: { authorization, host: `127.0.0.1:${gateway.port}` },
    })
    await second.close()
    expect([answer.statusCode, answer.json().message]).toEqual([
      503,
      expect.stringContaining('before the start'),
    ])
  })
})

/** Sends the head at once and the rest when it is there. */
async function slowly(head: string, rest: Promise<Buffer[]>): Promise<string> {
  const { connect } = await import('node:net')
  const socket = connect(gateway.port, '127.0.0.1')
  let answer = ''
  socket.on('data', (chunk) => (answer += chunk))
  socket.write(head)
  for (const part of await rest) socket.write(part)
  await expect.poll(() => answer, { timeout: 2000 }).not.toBe('')
  socket.destroy()
  return answer
}

describe('ended at once', () => {
  beforeEach(async () => {
    gateway = await startTestGateway({ pollMs: 500 })
  })
  afterEach(() => gateway.stop())

  const ENDED = '401 UNAUTHENTICATED session_ended'
  const REVOKED = '401 UNAUTHENTICATED revoked'

  /** Everybody has asked once, so that what they have is in memory. */
  async function warm(): Promise<void> {
    for (const as of ['reader', 'editor', 'admin'] as const) {
      expect((await gateway.ask({ ...EXPERIMENT, as })).line).toBe('200 allow')
      expect((await gateway.ask(withCookie(as, EXPERIMENT))).line).toBe('200 allow')
    }
  }

  it('sessions of one, then of everybody; tokens go on', async () => {
    await warm()
    expect(await cli('sessions', 'list')).toMatch(/editor[\s\S]*reader|reader[\s\S]*editor/)
    expect(await cli('sessions', 'revoke', '--user', 'editor')).toBe('1 sessions of editor have ended.\n')
    await soon(withCookie('editor', EXPERIMENT), ENDED)
    expect((await gateway.ask(withCookie('reader', EXPERIMENT))).line).toBe('200 allow')
    expect(await cli('sessions', 'revoke', '--all')).toBe("3 sessions everybody's have ended.\n")
    await soon(withCookie('reader', EXPERIMENT), ENDED)
    await soon(withCookie('admin', EXPERIMENT), ENDED)
    expect((await gateway.ask({ ...EXPERIMENT, as: 'editor' })).line).toBe('200 allow')
    expect(await cli('sessions', 'list')).toBe('Nobody is signed in.\n')
    expect((await lastActs(2)).map(([event, path]) => [event, path])).toEqual([
      ['session_ended', 'sessions revoke'],
      ['session_ended', 'sessions revoke'],
    ])
  })

  it('tokens of one, then of everybody; sessions go on', async () => {
    await warm()
    // The editor has a read-only one too.
    expect(await cli('token', 'revoke', '--user', 'editor')).toBe('2 access tokens of editor are revoked.\n')
    await soon({ ...EXPERIMENT, as: 'editor' }, REVOKED)
    await soon({ ...EXPERIMENT, as: 'readonly' }, REVOKED)
    expect((await gateway.ask({ ...EXPERIMENT, as: 'reader' })).line).toBe('200 allow')
    expect(await cli('token', 'revoke', '--all')).toBe("4 access tokens everybody's are revoked.\n")
    await soon({ ...EXPERIMENT, as: 'reader' }, REVOKED)
    await soon({ ...EXPERIMENT, as: 'admin' }, REVOKED)
    expect((await gateway.ask(withCookie('editor', EXPERIMENT))).line).toBe('200 allow')
  })

  it('everything the old keys have signed, and the sessions behind it; what is made then works', async () => {
    await warm()
    const out = await cli('keys', 'rotate', '--now')
    expect(out).toMatch(/Ended: 4 sessions, 6 access tokens/)
    for (const as of ['editor', 'reader', 'admin'] as const) {
      await soon({ ...EXPERIMENT, as }, '401 UNAUTHENTICATED invalid_token')
      await soon(withCookie(as, EXPERIMENT), ENDED)
    }
    const { keys } = JSON.parse((await gateway.ask({ target: '/.well-known/jwks.json' })).text)
    expect(keys).toHaveLength(1)
    const token = (await cli('token', 'create', '--user', 'reader', '--expires', '1h')).trim()
    await soon({ ...EXPERIMENT, headers: [`Authorization: Bearer ${token}`] }, '200 allow')
    expect((await lastActs(2))[1]).toEqual([
      'keys_rotated',
      'keys rotate --now',
      [{ type: 'key', id: keys[0].kid }],
    ])
  })

  it('by the JSON API too, in force with its answer', async () => {
    await warm()
    const call = (method: string, path: string) =>
      gateway.ask({ method, target: `/auth/api/v1${path}`, as: 'admin' })
    const { editor } = gateway.members
    expect((await call('DELETE', `/people/${editor.userId}/tokens`)).text).toBe('{"ended":2}')
    expect((await gateway.ask({ ...EXPERIMENT, as: 'editor' })).line).toBe(REVOKED)
    expect(JSON.parse((await call('GET', '/sessions')).text).sessions).toHaveLength(4)
    expect((await call('DELETE', '/sessions')).text).toBe('{"ended":4}')
    expect((await gateway.ask(withCookie('editor', EXPERIMENT))).line).toBe(ENDED)
    expect(JSON.parse((await call('POST', '/keys/replace')).text)).toMatchObject({ sessions: 0, tokens: 4 })
    expect((await gateway.ask({ ...EXPERIMENT, as: 'reader' })).status).toBe(401)
    expect((await call('GET', '/lockdown')).status).toBe(401)
  })

  it('leaves a record that holds together, and that the command line tells of', async () => {
    await warm()
    await cli('lockdown', 'on')
    await cli('lockdown', 'off')
    await gateway.app.close()
    const [verdict, code] = await tried('audit', 'verify')
    expect([verdict, code]).toEqual([expect.stringContaining('Nothing is amiss'), 0])
    expect(verdict).toMatch(/gateway@\S+ .* ended/)
    const lines = await cli('audit', 'export', '--operation', 'experiments')
    expect(
      lines
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).chain.seq),
    ).toEqual([1, 2, 3, 4, 5, 6])
    for (const { token, cookie } of Object.values(gateway.members)) {
      expect(await cli('audit', 'export')).not.toContain(token)
      expect(await cli('audit', 'export')).not.toContain(cookie)
    }
    expect(await cli('audit', 'list', '--user', 'reader', '--limit', '1')).toContain('experiments.get')
    await gateway.database.query("delete from audit_events where seq = 3 and username = 'editor'")
    const [after, failed] = await tried('audit', 'verify')
    expect([failed, after]).toEqual([
      1,
      expect.stringMatching(/missing: 3 of chain [0-9A-Z]{26}, event \d+: is missing/),
    ])
  })
})

it('is asked for in a way that can be carried out', async () => {
  gateway = await startTestGateway()
  for (const [args, words] of [
    [['sessions', 'revoke'], '--user NAME, or --all'],
    [['sessions', 'revoke', '--all', '--user', 'x'], '--user NAME, or --all'],
    [['token', 'revoke'], 'an id'],
    [['token', 'revoke', 'id', '--all'], 'an id'],
    [['lockdown', 'on', '--reason', 'x'.repeat(501)], 'longer than 500'],
    [['audit', 'list', '--since', 'yesterday'], 'how long ago'],
  ] as const) {
    const [out, code] = await tried(...args)
    expect([args, code, out]).toEqual([args, 2, expect.stringContaining(words)])
  }
  const [out, code] = await tried('lockdown', 'off')
  expect([code, out]).toEqual([1, expect.stringContaining('There is no lockdown to end')])
  await gateway.stop()
})

/**
 * The attack: to go on. A token after it was revoked, a session after signing out, a right after it was taken away, an
 * account after it was disabled: whatever is kept in memory so that requests are quick must not outlive what it was made
 * of. It ends with the next request where the end was brought about, within a second where another process did it (the
 * command line beside a running server), and at its own second where it has an expiry.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { runCli } from '../../src/cli/program.ts'
import type { Ask } from '../support/spoken-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import type { MemberName } from '../support/test-members.ts'

const EXPERIMENT = '/api/2.0/mlflow/experiments/get?experiment_id=1'
const MODEL = '/api/2.0/mlflow/registered-models/get?name=alpha-model'
const REVOKED = '401 UNAUTHENTICATED revoked'

const idOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).jti

const basic = (token: string) => `Authorization: Basic ${Buffer.from(`x:${token}`).toString('base64')}`

describe('ended by another process', () => {
  let gateway: TestGateway
  beforeAll(async () => {
    // As often as a gateway really looks.
    gateway = await startTestGateway({ pollMs: 500 })
  })
  afterAll(() => gateway.stop())

  const env = () => gateway.env

  /** The command as it is typed, in a process of its own. */
  async function cli(...args: readonly string[]): Promise<void> {
    const program = join(import.meta.dirname, '../../src/cli.ts')
    const stdio = ['ignore', 'ignore', 'pipe'] as const
    const child = spawn(process.execPath, [program, ...args], { env: env(), stdio: [...stdio] })
    let faults = ''
    child.stderr?.on('data', (chunk) => (faults += chunk))
    const code = await new Promise((resolve) => child.on('close', resolve))
    if (code !== 0) throw new Error(`${args.join(' ')}: ${faults}`)
  }

  /** The same command in this process, which costs less; what it opens is the file, as any other process would. */
  async function cliHere(...args: readonly string[]): Promise<void> {
    let faults = ''
    const code = await runCli(args, {
      ...{ env: env(), now: () => Math.floor(Date.now() / 1000), readFile: () => '' },
      ...{ out: () => {}, err: (text) => (faults += text) },
    })
    if (code !== 0) throw new Error(`${args.join(' ')}: ${faults}`)
  }

  async function grantOf(role: string, type: string, pattern: string): Promise<string> {
    const found = (await gateway.store.roles.list()).find(({ name }) => name === role)
    const grant = found?.grants.find((each) => each.resourceType === type && each.pattern === pattern)
    if (grant === undefined) throw new Error(`${role} has no such grant`)
    return grant.id
  }

  /** Somebody of group `team`, which has role `team-reader`. */
  async function putOutsiderIntoTeam(): Promise<void> {
    const { roles, people } = gateway.store
    const role = await roles.create({ name: 'team-reader' })
    const everything = { match: 'any', pattern: '*', level: 'READ', source: 'manual' } as const
    await roles.grant(role.id, { resourceType: 'experiment', ...everything })
    await roles.mapGroup('', 'team', role.id)
    await people.signIn({
      ...{ provider: 'oidc', issuer: 'https://issuer.invalid', subject: 'subject-outsider' },
      ...{ username: 'outsider', groups: ['team'] },
    })
  }

  type Row = readonly [
    command: string,
    prepare: () => Promise<readonly string[]>,
    ask: () => Ask,
    line: string,
  ]
  const as =
    (member: MemberName, target = EXPERIMENT) =>
    (): Ask => ({ target, as: member })
  const cookieOf = (member: MemberName) => (): Ask => ({
    target: EXPERIMENT,
    headers: [`Cookie: ${gateway.members[member].cookie}`],
  })

  const ROWS: readonly Row[] = [
    [
      'token revoke',
      async () => ['token', 'revoke', idOf(gateway.members.observer.token)],
      as('observer'),
      REVOKED,
    ],
    [
      'role grant --level DENY',
      async () => 'role grant alpha-editor --level DENY --type experiment --exact 1'.split(' '),
      as('editor'),
      '403 PERMISSION_DENIED explicit_deny',
    ],
    [
      'role revoke',
      async () => [
        'role',
        'revoke',
        'alpha-editor',
        await grantOf('alpha-editor', 'registered_model', 'alpha-*'),
      ],
      as('editor', MODEL),
      '404 RESOURCE_DOES_NOT_EXIST no_grant',
    ],
    [
      'role unassign',
      async () => 'role unassign alpha-reader reader'.split(' '),
      as('reader'),
      '403 PERMISSION_DENIED no_grant',
    ],
    [
      'group unmap',
      async () => {
        await putOutsiderIntoTeam()
        return 'group unmap team team-reader'.split(' ')
      },
      as('outsider'),
      '403 PERMISSION_DENIED no_grant',
    ],
    [
      'user disable, with a token',
      async () => 'user disable admin'.split(' '),
      as('admin'),
      '401 UNAUTHENTICATED no_such_person',
    ],
  ]

  it.each(ROWS)('%s: within a second', async (name, prepare, ask, line) => {
    const command = await prepare()
    await expect.poll(async () => (await gateway.ask(ask())).line, { timeout: 2000 }).toBe('200 allow')
    await (name.startsWith('role') ? cliHere : cli)(...command)
    const since = performance.now()
    await expect.poll(async () => (await gateway.ask(ask())).line, { interval: 20, timeout: 2000 }).toBe(line)
    expect(performance.now() - since).toBeLessThan(1000)
    expect((await gateway.ask(ask())).reached).toEqual([])
  })

  it('and of who is disabled the sessions too, with and without a token to renew', async () => {
    const { cookie } = gateway.members.admin
    for (const sent of [cookie, ...cookie.split('; ')]) {
      const { status, reached } = await gateway.ask({ target: EXPERIMENT, headers: [`Cookie: ${sent}`] })
      expect([status, reached]).toEqual([401, []])
    }
  })

  it('a session: within a second', async () => {
    const ask = cookieOf('reader')
    expect((await gateway.ask(ask())).event?.username).toBe('reader')
    await gateway.store.sessions.destroyOf(gateway.members.reader.userId)
    const since = performance.now()
    await expect
      .poll(async () => (await gateway.ask(ask())).line, { interval: 20, timeout: 2000 })
      .toBe('401 UNAUTHENTICATED session_ended')
    expect(performance.now() - since).toBeLessThan(1000)
  })
})

describe('ended by a request here', () => {
  let gateway: TestGateway
  beforeAll(async () => {
    // Nothing is noticed by looking; whoever changes something has to say so.
    gateway = await startTestGateway({ pollMs: 600_000 })
  })
  afterAll(() => gateway.stop())

  it('a token: the next request with it is refused, in either form', async () => {
    const { token, cookie } = gateway.members.editor
    const forms = [`Authorization: Bearer ${token}`, basic(token)]
    for (const header of forms) {
      expect((await gateway.ask({ target: EXPERIMENT, headers: [header] })).line).toBe('200 allow')
    }
    const ended = await gateway.ask({
      ...{ method: 'DELETE', target: `/auth/api/v1/tokens/${idOf(token)}` },
      headers: [`Cookie: ${cookie}`, `Origin: ${gateway.url}`],
    })
    expect(ended.status).toBe(204)
    for (const header of forms) {
      const { line, reached } = await gateway.ask({ target: EXPERIMENT, headers: [header] })
      expect([line, reached]).toEqual([REVOKED, []])
    }
  })

  it('a session: its cookies are refused from then on, one by one and together', async () => {
    const { cookie } = gateway.members.reader
    const sent = [cookie, ...cookie.split('; ')]
    const ask = (value: string) => gateway.ask({ target: EXPERIMENT, headers: [`Cookie: ${value}`] })
    for (const value of sent) expect((await ask(value)).line).toBe('200 allow')
    const ended = await gateway.ask({
      ...{ method: 'POST', target: '/auth/logout' },
      headers: [`Cookie: ${cookie}`, `Origin: ${gateway.url}`],
    })
    expect(ended.status).toBe(303)
    for (const value of sent) {
      const { line, reached } = await ask(value)
      expect([line, reached]).toEqual(['401 UNAUTHENTICATED session_ended', []])
    }
  })

  it('a model: who was given rights on its name has none on the next of that name', async () => {
    const { roles } = gateway.store
    const role = await roles.create({ name: 'zeta' })
    const zeta = { match: 'exact', pattern: 'alpha-model', level: 'READ', source: 'manual' } as const
    await roles.grant(role.id, { resourceType: 'registered_model', ...zeta })
    await roles.assign(gateway.members.outsider.userId, role.id)
    const ask: Ask = { target: MODEL, as: 'outsider' }
    expect((await gateway.ask(ask)).line).toBe('200 allow')
    const target = '/api/2.0/mlflow/registered-models/delete'
    const json = { name: 'alpha-model' }
    expect((await gateway.ask({ method: 'DELETE', target, as: 'admin', json })).line).toBe('200 allow')
    // The stand-in still has one of the name, as if somebody had made it anew.
    expect((await gateway.ask(ask)).line).toBe('404 RESOURCE_DOES_NOT_EXIST no_grant')
  })
})

describe('ended by an administrator', () => {
  let gateway: TestGateway
  beforeAll(async () => {
    // Nothing is noticed by looking; whoever changes something has to say so.
    gateway = await startTestGateway({ pollMs: 600_000 })
  })
  afterAll(() => gateway.stop())

  const people = (member: MemberName) => `/auth/api/v1/people/${gateway.members[member].userId}`
  const api = (method: string, target: string, more: Partial<Ask> = {}) =>
    gateway.ask({ method, target, as: 'admin', ...more })
  const cookieOf = (member: MemberName): Ask => ({
    ...{ target: EXPERIMENT, headers: [`Cookie: ${gateway.members[member].cookie}`] },
  })
  const line = async (ask: Ask) => (await gateway.ask(ask)).line

  it('one session of somebody, and nobody else’s by their address', async () => {
    expect(await line(cookieOf('reader'))).toBe('200 allow')
    const { sessions } = JSON.parse((await api('GET', `${people('reader')}/sessions`)).text)
    const [{ id }] = sessions
    expect((await api('DELETE', `${people('editor')}/sessions/${id}`)).status).toBe(404)
    expect((await api('DELETE', `${people('reader')}/sessions/x`)).status).toBe(404)
    expect(await line(cookieOf('reader'))).toBe('200 allow')
    const ended = await api('DELETE', `${people('reader')}/sessions/${id}`)
    expect([ended.status, ended.event]).toMatchObject([
      204,
      {
        ...{ event: 'session_ended', operation: 'admin.people.end_session', username: 'admin' },
        resources: [
          { type: 'user', id: gateway.members.reader.userId, name: 'reader' },
          { type: 'session', id },
        ],
      },
    ])
    expect(await line(cookieOf('reader'))).toBe('401 UNAUTHENTICATED session_ended')
    expect((await api('DELETE', `${people('reader')}/sessions/${id}`)).status).toBe(404)
    // The token of theirs is another credential.
    expect(await line({ target: EXPERIMENT, as: 'reader' })).toBe('200 allow')
  })

  it('all tokens of somebody, each once', async () => {
    expect(await line({ target: EXPERIMENT, as: 'editor' })).toBe('200 allow')
    const { userId } = gateway.members.editor
    const gone = await api('DELETE', `${people('editor')}/tokens`)
    expect([JSON.parse(gone.text), gone.event]).toMatchObject([
      { ended: 2 },
      { event: 'token_revoked', resources: [{ type: 'user', id: userId, name: 'editor' }] },
    ])
    for (const as of ['editor', 'readonly'] as const)
      expect(await line({ target: EXPERIMENT, as })).toBe(REVOKED)
    expect(JSON.parse((await api('DELETE', `${people('editor')}/tokens`)).text)).toEqual({ ended: 0 })
    expect(await line({ target: EXPERIMENT, as: 'admin' })).toBe('200 allow')
    // Their session is another credential.
    expect(await line(cookieOf('editor'))).toBe('200 allow')
  })

  it('everything of somebody who is disabled, and lets them in again with what was not revoked', async () => {
    const { headers } = await api('GET', people('reader'))
    const patch = (disabled: boolean, etag: string | undefined) =>
      api('PATCH', people('reader'), { headers: [`If-Match: ${etag}`], json: { disabled } })
    const locked = await patch(true, headers['etag']?.[0])
    expect([locked.status, await line({ target: EXPERIMENT, as: 'reader' })]).toEqual([
      200,
      '401 UNAUTHENTICATED no_such_person',
    ])
    expect((await patch(false, locked.headers['etag']?.[0])).status).toBe(200)
    expect(await line({ target: EXPERIMENT, as: 'reader' })).toBe('200 allow')
    expect(await line(cookieOf('reader'))).toBe('401 UNAUTHENTICATED session_ended')
  })
})

describe('ended by its expiry', () => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway()
  })
  afterAll(() => gateway.stop())
  afterEach(() => vi.useRealTimers())

  const secondsNow = () => Math.floor(Date.now() / 1000)
  /** Lets it be that second for whoever asks what time it is. */
  const be = (second: number) => vi.useFakeTimers({ toFake: ['Date'], now: second * 1000 })

  it('a grant, at its second, though it is in memory', async () => {
    const role = await gateway.store.roles.create({ name: 'for-a-while' })
    const expiresAt = secondsNow() + 100
    await gateway.store.roles.grant(role.id, {
      ...{
        resourceType: 'experiment',
        match: 'exact',
        pattern: '1',
        level: 'READ',
        source: 'manual',
        expiresAt,
      },
    })
    await gateway.store.roles.assign(gateway.members.outsider.userId, role.id)
    const lineAt = async (second: number) => {
      be(second)
      return (await gateway.ask({ target: EXPERIMENT, as: 'outsider' })).line
    }
    await expect.poll(() => lineAt(secondsNow())).toBe('200 allow')
    expect(await lineAt(expiresAt - 1)).toBe('200 allow')
    expect(await lineAt(expiresAt)).toBe('403 PERMISSION_DENIED no_grant')
  })

  it('a token, though it is in memory, and says when', async () => {
    const { token } = gateway.members.editor
    const { exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
      exp: number
    }
    const askAt = (second: number) => {
      be(second)
      return gateway.ask({ target: EXPERIMENT, as: 'editor' })
    }
    expect((await askAt(secondsNow())).line).toBe('200 allow')
    // Clocks of two replicas may differ by that much.
    expect((await askAt(exp + 5)).line).toBe('200 allow')
    const late = await askAt(exp + 6)
    expect([late.line, late.reached]).toEqual(['401 UNAUTHENTICATED expired', []])
    expect(late.message).toContain(`token expired at ${new Date(exp * 1000).toISOString()}`)
  })

  it("a session's token, which alone is worth nothing more; with its session it is renewed", async () => {
    const [session = '', token = ''] = gateway.members.reader.cookie.split('; ')
    const ask = (cookie: string) => gateway.ask({ target: EXPERIMENT, headers: [`Cookie: ${cookie}`] })
    expect((await ask(token)).line).toBe('200 allow')
    be(secondsNow() + 320)
    expect((await ask(token)).line).toBe('401 UNAUTHENTICATED session_ended')
    const renewed = await ask(`${session}; ${token}`)
    expect([renewed.line, renewed.headers['set-cookie']?.length]).toEqual(['200 allow', 1])
  })
})

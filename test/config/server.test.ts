/** The process itself: what it prints, what it exits with, how it ends. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { SECRET } from './environment.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

let dir: string
let upstream: Server
let running: ChildProcess[]

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'gateway-server-'))
})

afterAll(() => rmSync(dir, { recursive: true, force: true }))

beforeEach(async () => {
  upstream = createServer((request, response) => {
    // The gateway's own question comes first; the tests are about the client's.
    if (request.headers.accept === 'text/plain') response.end('3.17.2')
    else upstream.emit('asked', request, response)
  }).listen(0, '127.0.0.1')
  running = []
  await once(upstream, 'listening')
})

afterEach(() => {
  for (const child of running) child.kill('SIGKILL')
  upstream.closeAllConnections()
  upstream.close()
})

function upstreamPort(): number {
  return (upstream.address() as AddressInfo).port
}

function environment(changes: Readonly<Record<string, string>> = {}): Record<string, string> {
  const { UPSTREAM_URL = `http://127.0.0.1:${upstreamPort()}` } = changes
  return {
    PATH: process.env['PATH'] ?? '',
    NODE_ENV: 'test',
    PUBLIC_URL: 'http://127.0.0.1:8080',
    PORT: '0',
    UPSTREAM_URL,
    DATABASE_URL: `sqlite:${join(dir, 'gateway.db')}`,
    GATEWAY_SECRET: SECRET,
    OIDC_ISSUER: 'https://sso.example.org',
    OIDC_CLIENT_ID: 'mlflow',
    ADMIN_USERS: 'alice',
    ...changes,
  }
}

type Running = {
  readonly child: ChildProcess
  /** Standard output and error so far. */
  readonly output: () => string
  readonly exit: Promise<number | null>
}

function start(env: Record<string, string>): Running {
  const child = spawn(process.execPath, [join(root, 'src/server.ts')], { cwd: dir, env })
  running.push(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk
    })
  }
  return { child, output: () => output, exit: once(child, 'close').then(([code]) => code as number | null) }
}

/** Resolves with the address once it listens. */
async function listening({ child, output, exit }: Running): Promise<string> {
  const ended = exit.then((code) => Promise.reject(new Error(`ended with ${code}: ${output()}`)))
  ended.catch(() => {})
  for (;;) {
    const address = /Server listening at (http:[^"]+)/.exec(output())?.[1]
    if (address !== undefined) return address
    await Promise.race([child.stdout === null ? ended : once(child.stdout, 'data'), ended])
  }
}

/** A token made as an operator makes it. */
function tokenOf(name: string): string {
  const env = environment({ UPSTREAM_URL: 'http://127.0.0.1:1' })
  const cli = (...args: string[]) =>
    execFileSync(process.execPath, [join(root, 'src/cli.ts'), ...args], { env, encoding: 'utf8' })
  cli('user', 'add', name)
  return cli('token', 'create', '--user', name, '--expires', '1h').trim()
}

describe('field report 31: shipped default password', () => {
  it('exits with 2 and names every variable that still holds a placeholder', async () => {
    const example = parseEnv(readFileSync(join(root, '.env.example'), 'utf8')) as Record<string, string>
    const server = start({ PATH: process.env['PATH'] ?? '', ...example, NODE_ENV: 'production' })
    expect(await server.exit).toBe(2)
    expect(
      server
        .output()
        .match(/^ {2}\w+/gm)
        ?.map((line) => line.trim())
        .toSorted(),
    ).toEqual(['GATEWAY_SECRET', 'OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET', 'OIDC_ISSUER', 'PUBLIC_URL'])
    expect(server.output()).not.toContain(example['GATEWAY_SECRET'])
  })
})

describe('start', { timeout: 60_000 }, () => {
  it('listens, says so, and keeps its database to itself', async () => {
    const server = start(environment())
    const address = await listening(server)
    expect((await fetch(`${address}/healthz`)).status).toBe(200)
    expect(statSync(join(dir, 'gateway.db')).mode & 0o777).toBe(0o600)
    server.child.kill('SIGTERM')
    expect(await server.exit).toBe(0)
    expect(server.output()).not.toContain(SECRET)
  })

  it('logs what is permitted but dangerous', async () => {
    const server = start(environment({ TRUSTED_AUTHORSHIP: 'false' }))
    await listening(server)
    expect(server.output()).toContain('TRUSTED_AUTHORSHIP is off')
  })

  it('exits with 1 and a reason if it cannot listen', async () => {
    const server = start(environment({ PORT: String(upstreamPort()), UPSTREAM_URL: 'http://127.0.0.1:1' }))
    expect(await server.exit).toBe(1)
    expect(server.output()).toContain('EADDRINUSE')
  })
})

/** What look-ups are told: the upload is for this run of this experiment. */
const OWNERS = {
  run: { info: { run_id: '00000000000000000000000000000001', experiment_id: '1' } },
  experiment: { experiment_id: '1', name: 'a', lifecycle_stage: 'active' },
}

describe('end', { timeout: 60_000 }, () => {
  let token: string

  beforeAll(() => {
    token = tokenOf('alice')
  }, 60_000)

  it('lets a request in flight finish, takes no new one, and exits with 0', async () => {
    const reached = once(upstream, 'asked')
    const server = start(environment())
    const address = await listening(server)
    const answer = fetch(`${address}/version`, { headers: { authorization: `Bearer ${token}` } })
    const [, response] = await reached
    server.child.kill('SIGTERM')
    while (!server.output().includes('closing')) await once(server.child.stdout ?? upstream, 'data')
    await expect(fetch(`${address}/healthz`)).rejects.toThrow('fetch failed')
    response.end('3.17.2')
    expect(await (await answer).text()).toBe('3.17.2')
    expect(await server.exit).toBe(0)
  })

  it('cuts off after SHUTDOWN_GRACE what does not end by itself', async () => {
    const reached = once(upstream, 'asked')
    const server = start(environment({ SHUTDOWN_GRACE: '1' }))
    const address = await listening(server)
    const answer = fetch(`${address}/version`, { headers: { authorization: `Bearer ${token}` } })
    answer.catch(() => {})
    await reached
    server.child.kill('SIGINT')
    expect(await server.exit).toBe(0)
    await expect(answer).rejects.toThrow('fetch failed')
  })

  it('ends at once on a second signal', async () => {
    const reached = once(upstream, 'asked')
    const server = start(environment({ SHUTDOWN_GRACE: '600' }))
    const address = await listening(server)
    fetch(`${address}/version`, { headers: { authorization: `Bearer ${token}` } }).catch(() => {})
    await reached
    server.child.kill('SIGTERM')
    while (!server.output().includes('closing')) await once(server.child.stdout ?? upstream, 'data')
    server.child.kill('SIGTERM')
    expect(await server.exit).toBe(1)
  })

  it('says for SHUTDOWN_DELAY seconds that it is not ready, and serves everybody meanwhile', async () => {
    upstream.on('asked', (_request, response) => response.end('3.17.2'))
    const server = start(environment({ SHUTDOWN_DELAY: '2' }))
    const address = await listening(server)
    const ready = async () => {
      const response = await fetch(`${address}/readyz`)
      return [response.status, ((await response.json()) as { status: string }).status]
    }
    // What readiness is kept for, for a second, must not outlive the signal.
    const before = await ready()
    server.child.kill('SIGTERM')
    const signalled = performance.now()
    while (!server.output().includes('not ready any more'))
      await once(server.child.stdout ?? upstream, 'data')
    expect([before[1], await ready()]).toEqual([expect.stringContaining('ready'), [503, 'closing']])
    const answer = await fetch(`${address}/version`, { headers: { authorization: `Bearer ${token}` } })
    expect([answer.status, await answer.text(), answer.headers.get('connection')]).toEqual([
      200,
      '3.17.2',
      'close',
    ])
    expect((await fetch(`${address}/healthz`)).status).toBe(200)
    expect(await server.exit).toBe(0)
    expect(performance.now() - signalled).toBeGreaterThan(1900)
  })

  it('lets an upload in flight finish', async () => {
    const { promise: reached, resolve: reach } = Promise.withResolvers<[IncomingMessage, ServerResponse]>()
    upstream.on('asked', (asked: IncomingMessage, response: ServerResponse) => {
      if (asked.method === 'PUT') reach([asked, response])
      else response.end(JSON.stringify(OWNERS))
    })
    const server = start(environment())
    const { port } = new URL(await listening(server))
    const path = '/api/2.0/mlflow-artifacts/artifacts/1/00000000000000000000000000000001/artifacts/x.bin'
    const headers = { authorization: `Bearer ${token}`, 'content-length': String(2 * 65_536) }
    const upload = request({ port, host: '127.0.0.1', method: 'PUT', path, headers })
    const answered = once(upload, 'response')
    upload.write(Buffer.alloc(65_536, 1))
    const [received, response] = await reached
    server.child.kill('SIGTERM')
    while (!server.output().includes('closing')) await once(server.child.stdout ?? upstream, 'data')
    await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow('fetch failed')
    upload.end(Buffer.alloc(65_536, 2))
    let size = 0
    for await (const chunk of received) size += (chunk as Buffer).length
    response.end('{}')
    const [answer] = (await answered) as [IncomingMessage]
    expect([size, answer.statusCode, answer.headers.connection]).toEqual([2 * 65_536, 200, 'close'])
    answer.resume()
    expect(await server.exit).toBe(0)
  })
})

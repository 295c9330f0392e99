import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserResponse } from './browserless-sign-in.ts'
import { CLIENT_ID, PASSWORD, REALM, realm } from './keycloak-realm.ts'
import { freePort } from './mlflow.ts'

const PROGRAM = fileURLToPath(new URL('../../.keycloak/server/bin/kc.sh', import.meta.url))
const START_TIMEOUT_MS = 180_000

export type KeycloakSettings = {
  /** The gateway's. */
  readonly publicUrl: string
  /** Each person's groups. */
  readonly people: Readonly<Record<string, readonly string[]>>
}

/** A real Keycloak with one realm; its access tokens are meant for the gateway too, and say the groups. */
export type Keycloak = {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  readonly pid: number
  /** An access token of five minutes, as a script of that person would get one. */
  readonly accessToken: (name: string) => Promise<string>
  /** From the person's next token on. */
  readonly setMember: (name: string, group: string, isMember: boolean) => Promise<void>
  /** Goes through the sign-in page. @returns The redirect to where the sign-in leads, not followed. */
  readonly signIn: (browser: Browser, name: string) => Promise<BrowserResponse>
  readonly stop: () => Promise<void>
}

/** @throws {Error} with what it wrote if it does not start; nothing is left behind. */
export async function startKeycloak({ publicUrl, people }: KeycloakSettings): Promise<Keycloak> {
  if (!existsSync(PROGRAM)) throw new Error('Keycloak is not installed. Install it with: make faults')
  const url = `http://127.0.0.1:${await freePort()}`
  const secret = randomBytes(24).toString('base64url')
  const server = spawnServer(new URL(url).port, await freePort(), secret)
  const output = keepTail(server)
  const killAtExit = () => killGroup(server)
  process.once('exit', killAtExit)
  const stop = async () => {
    await endGroup(server)
    process.removeListener('exit', killAtExit)
  }
  try {
    await answers(`${url}/realms/master`, server)
    const admin = createAdmin(url, secret)
    await admin('POST', '/admin/realms', realm({ publicUrl, secret, people }))
    const issuer = `${url}/realms/${REALM}`
    return {
      ...{ issuer, clientId: CLIENT_ID, clientSecret: secret, pid: server.pid ?? 0, stop },
      accessToken: (username) =>
        requestToken(issuer, { client_id: CLIENT_ID, client_secret: secret, username, password: PASSWORD }),
      setMember: (name, group, isMember) => setMember(admin, { name, group, isMember }),
      signIn: (browser, name) => signIn(browser, publicUrl, name),
    }
  } catch (fault) {
    await stop()
    throw new Error(`Keycloak did not start: ${(fault as Error).message}\n${output()}`, { cause: fault })
  }
}

/** @param port Of everything; @param management The one that is 9000 unless told. */
function spawnServer(port: string, management: number, password: string): ChildProcess {
  const address = ['--http-enabled=true', '--http-host=127.0.0.1', `--http-port=${port}`]
  const args = ['start', '--optimized', '--hostname-strict=false', '--cache=local', ...address]
  // A group of its own: the script does not become the server, it starts one.
  return spawn(PROGRAM, [...args, `--http-management-port=${management}`], {
    detached: true,
    env: {
      PATH: process.env['PATH'] ?? '',
      JAVA_OPTS_KC_HEAP: '-Xms64m -Xmx512m',
      KC_BOOTSTRAP_ADMIN_USERNAME: 'admin',
      KC_BOOTSTRAP_ADMIN_PASSWORD: password,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

type Admin = (method: string, path: string, body?: unknown) => Promise<unknown>

/** Keycloak's own API, by its bootstrap administrator. */
function createAdmin(url: string, password: string): Admin {
  return async (method, path, body) => {
    const token = await requestToken(`${url}/realms/master`, {
      ...{ client_id: 'admin-cli', username: 'admin', password },
    })
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }
}

async function requestToken(issuer: string, form: Readonly<Record<string, string>>): Promise<string> {
  const body = new URLSearchParams({ grant_type: 'password', scope: 'openid', ...form })
  const response = await fetch(`${issuer}/protocol/openid-connect/token`, { method: 'POST', body })
  const answer = (await response.json()) as { readonly access_token?: string }
  if (answer.access_token === undefined) throw new Error(`no token: ${JSON.stringify(answer)}`)
  return answer.access_token
}

async function setMember(
  admin: Admin,
  { name, group, isMember }: { readonly name: string; readonly group: string; readonly isMember: boolean },
): Promise<void> {
  const id = async (kind: 'users?exact=true&username' | 'groups?exact=true&search', wanted: string) => {
    const found = (await admin('GET', `/admin/realms/${REALM}/${kind}=${wanted}`)) as readonly {
      id: string
    }[]
    return found[0]?.id
  }
  const [user, of] = [
    await id('users?exact=true&username', name),
    await id('groups?exact=true&search', group),
  ]
  await admin(isMember ? 'PUT' : 'DELETE', `/admin/realms/${REALM}/users/${user}/groups/${of}`)
}

async function signIn(browser: Browser, publicUrl: string, name: string): Promise<BrowserResponse> {
  const stop = (url: URL) => url.href.startsWith(publicUrl) && !url.pathname.startsWith('/auth/callback/')
  const page = await browser.navigate(`${publicUrl}/auth/login?provider=oidc`, { stop })
  // A browser that Keycloak still knows is sent back at once.
  if (page.url.startsWith(publicUrl)) return page
  const action = /<form id="kc-form-login"[^>]* action="([^"]+)"/.exec(page.body)?.[1]
  if (action === undefined) throw new Error(`not Keycloak's sign-in page: ${page.status} ${page.url}`)
  return browser.navigate(action.replaceAll('&amp;', '&'), {
    method: 'POST',
    form: { username: name, password: PASSWORD },
    stop,
  })
}

async function answers(url: string, server: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS
  while (Date.now() < deadline) {
    if (server.exitCode !== null || server.signalCode !== null) throw new Error('the process ended')
    const response = await fetch(url).catch(() => undefined)
    if (response?.ok) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`no answer within ${START_TIMEOUT_MS} ms`)
}

function keepTail(server: ChildProcess): () => string {
  let tail = ''
  for (const stream of [server.stdout, server.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      tail = (tail + chunk.toString('utf8')).slice(-8192)
    })
  }
  return () => tail
}

/** What it holds is in memory, so there is nothing to end in order. */
async function endGroup(server: ChildProcess): Promise<void> {
  if (server.pid === undefined || server.exitCode !== null || server.signalCode !== null) return
  const ended = once(server, 'exit')
  killGroup(server)
  await ended
}

function killGroup(server: ChildProcess): void {
  if (server.pid === undefined) return
  try {
    process.kill(-server.pid, 'SIGKILL')
  } catch {
    // ESRCH: the group is empty, which is what was wanted.
  }
}

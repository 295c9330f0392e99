import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createAccessTokens } from '../../src/identity/access-token.ts'
import { createKeyring } from '../../src/identity/keyring.ts'
import { createDirectory } from '../../src/policy/directory.ts'
import { type CliFixture, type CliResult, cliFixture } from './run.ts'

const CLI = join(import.meta.dirname, '../../src/cli.ts')

let fixture: CliFixture

beforeEach(async () => {
  fixture = await cliFixture()
})

afterEach(() => fixture.clean())

/** The command as it is typed: another process, with nothing in its environment but what it is given. */
function spawnCli(...args: readonly string[]): Promise<CliResult> {
  const child = spawn(process.execPath, [CLI, ...args], { env: fixture.env, cwd: fixture.folder })
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk) => {
    out += chunk
  })
  child.stderr.on('data', (chunk) => {
    err += chunk
  })
  return new Promise((resolve) => child.on('close', (code) => resolve({ code: code ?? -1, out, err })))
}

const now = () => Math.floor(Date.now() / 1000)

describe('the command line beside a running server', () => {
  it('prints a token and nothing else, which the server accepts; and what it changes, the server sees', async () => {
    const store = await fixture.store()
    const ada = await store.people.signIn({
      provider: 'oidc',
      issuer: 'https://op.example',
      subject: '1',
      username: 'ada',
      groups: [],
    })
    const directory = createDirectory({
      store,
      config: {
        adminUsers: [],
        adminGroups: [],
        defaultPermission: 'NO_PERMISSIONS',
        upstreams: [],
        providers: [{ id: 'oidc', issuer: 'https://op.example' }],
      },
      now,
      pollMs: 50,
    })
    directory.start()
    try {
      expect((await directory.resolve(ada.id))?.principal.roles).toEqual([])

      const { code, out, err } = await spawnCli('token', 'create', '--user', 'ada', '--expires', '1h')
      expect([code, err]).toEqual([0, ''])
      expect(out).toMatch(/^eyJ[\w-]+\.[\w-]+\.[\w-]+\n$/)
      const keyring = await createKeyring({
        store,
        secret: fixture.env['GATEWAY_SECRET'] ?? '',
        now,
        tokenMaxTtl: 86_400,
      })
      const accessTokens = createAccessTokens({
        keyring,
        issuer: 'http://localhost:8080',
        now,
        store,
        maxTtl: 86_400,
      })
      expect(await accessTokens.verify(out.trim())).toMatchObject({ userId: ada.id, scope: [] })

      await spawnCli('role', 'create', 'reader')
      expect((await spawnCli('role', 'assign', 'reader', 'ada')).code).toBe(0)
      await expect.poll(async () => (await directory.resolve(ada.id))?.principal.roles).toEqual(['reader'])
    } finally {
      directory.stop()
      await store.close()
    }
  })
})

/** What docs/incidents.md tells people to type is typed here, each command of it, with a gateway beside it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { buildApp } from '../../src/app.ts'
import { runCli } from '../../src/cli/program.ts'
import { readConfig } from '../../src/config.ts'
import { temporaryFolder } from '../store/temporary-store.ts'
import { ON_POSTGRES } from '../support/database.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

const PAGE = readFileSync(new URL('../../docs/incidents.md', import.meta.url), 'utf8')
const GROUPS = /^(?:lockdown|token|user|sessions|keys|audit|policy|role|explain) [a-z-]/

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

async function typed(args: readonly string[], env = gateway.env) {
  let said = ''
  const code = await runCli(args, {
    env,
    now: () => Math.floor(Date.now() / 1000),
    readFile: (path) => readFileSync(path, 'utf8'),
    out: (text) => (said += text),
    err: (text) => (said += text),
  })
  return { code, said }
}

/** As a shell would take it, up to a pipe or a redirection. */
function wordsOf(command: string): string[] {
  const [own = ''] = command.split(/ [|>] /)
  return [...own.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '')
}

const COMMANDS = [...new Set([...PAGE.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code))].filter(
  (code) => GROUPS.test(code),
)

it('names commands at all', () => {
  expect(COMMANDS.length).toBeGreaterThan(20)
})

it.each(COMMANDS)('%s is a command', async (command) => {
  const folder = temporaryFolder()
  const policy = join(folder, 'policy.yaml')
  const lines = join(folder, 'lines.jsonl')
  const old = join(folder, 'old')
  writeFileSync(policy, 'version: 1\nroles: []\n')
  writeFileSync(lines, (await typed(['audit', 'export'])).said)
  writeFileSync(old, 'an-earlier-secret-of-the-tests-0123456789')
  const stands: Readonly<Record<string, string>> = {
    NAME: command.startsWith('explain') ? 'reader' : 'outsider',
    ID: 'no-such-token',
    OPERATION: 'runs.search',
    OLD: old,
    COLLECTED: lines,
    'incident.jsonl': lines,
    'policy.yaml': policy,
    '...': 'a reason',
  }
  const words = wordsOf(command).flatMap((word) =>
    command.startsWith('explain') && word === '...' ? [] : (stands[word] ?? word),
  )
  const { code, said } = await typed(words)
  // Whatever there is to find or not to find: never that it was written in a way that cannot be carried out.
  expect([code === 0 || /no token|no lockdown/i.test(said), said]).toEqual([true, said])
})

it('a leaked GATEWAY_SECRET: what the page says ends everything that was signed, and keeps the record', async () => {
  const second = await startTestGateway()
  const typedAt = ON_POSTGRES ? /`psql "\$DATABASE_URL" -c '([^']+)'`/ : /`sqlite3 gateway\.db '([^']+)'`/
  const [, sql = ''] = typedAt.exec(PAGE) ?? expect.fail('the page does not say what to type')
  const { editor } = second.members
  expect((await second.ask({ target: '/auth/api/v1/me', as: 'editor' })).status).toBe(200)
  await typed(['lockdown', 'status'], second.env)
  await typed(['role', 'create', 'on-record'], second.env)
  await second.app.close()
  await second.database.query(sql)
  const env = { ...second.env, GATEWAY_SECRET: 'Wm4xT9cVb2LqZ7sKp0RfYhUj8GdN3aEiOe6ttX5v' }
  const app = await buildApp({ config: readConfig(env), logger: false })
  const host = `127.0.0.1:${second.port}`
  for (const headers of [{ authorization: `Bearer ${editor.token}` }, { cookie: editor.cookie }]) {
    const { statusCode } = await app.inject({ url: '/auth/api/v1/me', headers: { host, ...headers } })
    expect(statusCode).toBe(401)
  }
  await app.close()
  expect((await typed(['token', 'list'], env)).said).not.toContain('works')
  expect((await typed(['sessions', 'list'], env)).said).toBe('Nobody is signed in.\n')
  expect((await typed(['role', 'list'], env)).said).toContain('alpha-editor')
  expect((await typed(['audit', 'verify'], env)).code).toBe(1)
  const old = join(temporaryFolder(), 'old')
  writeFileSync(old, `${second.env['GATEWAY_SECRET']}\n`)
  expect(await typed(['audit', 'verify', '--old-secret-file', old], env)).toMatchObject({ code: 0 })
  await second.stop()
})

it('a database that was put back to an earlier state shows beside the lines that were collected', async () => {
  const lines = join(temporaryFolder(), 'collected.jsonl')
  await typed(['role', 'create', 'earlier'])
  writeFileSync(lines, (await typed(['audit', 'export'])).said)
  const { said, code } = await typed(['audit', 'verify', '--file', lines])
  expect([code, said]).toEqual([0, expect.stringContaining('Nothing is amiss')])
  const kept = readFileSync(lines, 'utf8')
  writeFileSync(lines, kept.replace('"role create"', '"role delete"'))
  expect((await typed(['audit', 'verify', '--file', lines])).code).toBe(1)
})

it('what somebody wrote to the database is shown, and not carried out by the terminal', async () => {
  await gateway.database.query("update audit_chains set origin = '\u001b[2Jx' where number = 1")
  const { code, said } = await typed(['audit', 'verify'])
  expect([code, said.includes('\u001b'), said.includes('\u{fffd}[2Jx')]).toEqual([1, false, true])
})

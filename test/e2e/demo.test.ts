import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { createBrowser, signInAs } from '../support/browserless-sign-in.ts'
import { type CliResult, runToEnd } from '../support/gateway.ts'
import type { AccountName } from '../support/issuer.ts'
import { freePort } from '../support/mlflow.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const DEMO = fileURLToPath(new URL('../demo/demo.ts', import.meta.url))

type Demo = {
  readonly child: ChildProcess
  readonly output: () => string
  /** Resolves with what was written so far, once it holds `text`. */
  readonly says: (text: string) => Promise<string>
  readonly ended: Promise<number | null>
}

/** Started as `make demo` does. Nothing of the environment tells where anything is. */
function startDemo(env: Readonly<Record<string, string>>): Demo {
  const child = spawn(process.execPath, [DEMO], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const collect = (chunk: Buffer) => {
    output += chunk.toString('utf8')
    child.emit('said')
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  const ended = once(child, 'close').then(([code]) => code as number | null)
  const says = async (text: string) => {
    while (!output.includes(text)) {
      if (child.exitCode !== null) throw new Error(`the demo ended without saying ${text}:\n${output}`)
      await Promise.race([once(child, 'said'), ended])
    }
    return output
  }
  return { child, output: () => output, says, ended }
}

/** Every process that runs now and began below `pid`, by command line: children of children too, and their groups. */
function descendants(pid: number): Map<number, string> {
  const parents = new Map<number, number>()
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const stat = readProc(`${entry}/stat`)
    // The name is in parentheses and may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    parents.set(Number(entry), Number(fields[1]))
  }
  const found = new Map<number, string>()
  let layer = [pid]
  while (layer.length > 0) {
    layer = [...parents].filter(([, parent]) => layer.includes(parent)).map(([child]) => child)
    for (const child of layer) found.set(child, readProc(`${child}/cmdline`).replaceAll('\0', ' '))
  }
  return found
}

function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, 'utf8')
  } catch {
    return ''
  }
}

const isRunning = (pid: number) => !['', 'Z'].includes(/\) (\w) /.exec(readProc(`${pid}/stat`))?.[1] ?? '')

function cli(...args: readonly string[]): Promise<CliResult> {
  return runToEnd('npm', ['run', '-s', 'cli', '--', ...args], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'] },
  })
}

describe('a running demo', () => {
  let demo: Demo
  let port: number
  let url: string

  beforeAll(async () => {
    port = await freePort()
    url = `http://127.0.0.1:${port}`
    demo = startDemo({ DEMO_PORT: String(port) })
    await demo.says('Ctrl-C')
  })

  afterAll(async () => {
    demo.child.kill('SIGTERM')
    await demo.ended
  })

  test('prints that it is ready, and who can sign in', () => {
    const lines = demo.output().split('\n')
    expect(lines).toContain(`ready ${url}`)
    const signIns = lines
      .slice(lines.indexOf(`ready ${url}`))
      .map((line) => /^ {2}(\w+) {2,}\S/.exec(line)?.[1])
    expect(signIns.filter((name) => name !== undefined)).toEqual(['admin', 'editor', 'reader', 'outsider'])
    expect(lines).toContain('  npm run -s cli -- token create --user editor --expires 1h')
  })

  it.each([
    [
      'admin',
      ['Default', 'alpha/churn', 'alpha/forecast', 'beta/secret'],
      ['alpha-churn', 'beta-model'],
      200,
    ],
    ['editor', ['alpha/churn', 'alpha/forecast'], ['alpha-churn'], 200],
    ['reader', ['alpha/churn', 'alpha/forecast'], ['alpha-churn'], 403],
    ['outsider', [], [], 403],
  ] as const)(
    '%s signs in with the name alone and sees what was announced',
    async (name, experiments, models, writes) => {
      const browser = createBrowser()
      await signInAs(browser, { publicUrl: url }, name as AccountName)
      const get = async (path: string) => {
        const { status, body } = await browser.send(`${url}/ajax-api/2.0/mlflow/${path}`)
        expect(status).toBe(200)
        return JSON.parse(body) as Record<string, { name: string }[] | undefined>
      }
      const names = (rows: { name: string }[] | undefined) => (rows ?? []).map((row) => row.name).sort()
      expect(names((await get('experiments/search?max_results=10'))['experiments'])).toEqual(experiments)
      expect(names((await get('registered-models/search'))['registered_models'])).toEqual(models)
      const id = await experimentId(url, 'alpha/churn')
      const response = await fetch(`${url}/api/2.0/mlflow/experiments/set-experiment-tag`, {
        method: 'POST',
        headers: {
          cookie: browser.cookieHeader(url),
          origin: url,
          'content-type': 'application/json',
        },
        body: JSON.stringify({ experiment_id: id, key: 'tried-by', value: name }),
      })
      expect(response.status).toBe(writes)
    },
  )

  test('the command it prints gives a token that works, without any variable set', async () => {
    const { code, stdout } = await cli('token', 'create', '--user', 'editor', '--expires', '1h')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/)
    const response = await fetch(`${url}/api/2.0/mlflow/users/current`, {
      headers: { authorization: `Bearer ${stdout.trim()}` },
    })
    expect(await response.json()).toMatchObject({ user: { username: 'editor' } })
  })

  test('a second demo of the same checkout is refused in a sentence', async () => {
    const second = startDemo({ DEMO_PORT: String(await freePort()) })
    expect(await second.ended).toBe(1)
    expect(second.output()).toMatch(/^A demo of this checkout is already running \(process \d+\)\..*\n$/)
  })

  test('Ctrl-C, pressed three times, leaves no process and no open port', async () => {
    const { pid = 0 } = demo.child
    const started = descendants(pid)
    const commands = [...started.values()].join('\n')
    expect(commands).toContain('src/server.ts')
    expect(commands).toContain('mlflow')
    for (let press = 0; press < 3; press++) {
      demo.child.kill('SIGINT')
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    expect(await demo.ended).toBe(0)
    expect([...started.keys()].filter(isRunning)).toEqual([])
    await expect(fetch(url)).rejects.toThrow()
    expect(existsSync(`${ROOT}/.demo/gateway.env`)).toBe(false)
  })
})

async function experimentId(url: string, name: string): Promise<string> {
  const browser = createBrowser()
  await signInAs(browser, { publicUrl: url }, 'admin')
  const { body } = await browser.send(
    `${url}/ajax-api/2.0/mlflow/experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`,
  )
  return (JSON.parse(body) as { experiment: { experiment_id: string } }).experiment.experiment_id
}

describe('a demo that cannot start', () => {
  test('says that the port is taken', async () => {
    const squatter = createServer().listen(0, '127.0.0.1')
    await once(squatter, 'listening')
    const { port } = squatter.address() as { port: number }
    const demo = startDemo({ DEMO_PORT: String(port) })
    expect(await demo.ended).toBe(1)
    expect(demo.output()).toBe(
      `Port ${port} is taken by another program. Choose another one: DEMO_PORT=${port + 10} make demo\n`,
    )
    squatter.close()
  })

  it.each(['http', '0', '65536', '-1', '80.5'])('says that %j is no port', async (value) => {
    const demo = startDemo({ DEMO_PORT: value })
    expect(await demo.ended).toBe(1)
    expect(demo.output()).toMatch(/^DEMO_PORT is not a port\. .*\n$/)
  })

  test('interrupted while it starts, it leaves nothing', async () => {
    const demo = startDemo({ DEMO_PORT: String(await freePort()) })
    await demo.says('Starting')
    // MLflow takes seconds; its process is there long before it answers.
    let started = new Map<number, string>()
    while (![...started.values()].some((command) => command.includes('mlflow'))) {
      started = descendants(demo.child.pid ?? 0)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    demo.child.kill('SIGTERM')
    expect(await demo.ended).toBe(0)
    expect([...started.keys()].filter(isRunning)).toEqual([])
  })
})

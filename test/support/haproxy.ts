import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { endProcess } from './gateway.ts'
import { freePort } from './mlflow.ts'

const CONFIG = fileURLToPath(new URL('../../deploy/haproxy/haproxy.cfg', import.meta.url))

export type Haproxy = {
  /** `https://localhost:PORT`, no trailing slash. */
  readonly url: string
  readonly port: number
  /** What vouches for it, PEM. */
  readonly certificate: string
  /** Resolves once the log has said a line since the last call that matches; rejects after half a minute. */
  readonly says: (pattern: RegExp) => Promise<void>
  /** Asks by its admin socket, as an operator would. @returns The answer. */
  readonly command: (text: string) => Promise<string>
  readonly stop: () => Promise<void>
}

/** The shipped configuration, as it is, before two or three servers on loopback, with a certificate made for this once. */
export async function startHaproxy(
  ports: readonly [number, number, number?],
  front?: number,
): Promise<Haproxy> {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-haproxy-'))
  const certificate = makeCertificate(dir)
  const port = front ?? (await freePort())
  const child = spawn('haproxy', ['-db', '-f', CONFIG], {
    env: {
      PATH: process.env['PATH'] ?? '',
      BIND: `127.0.0.1:${port}`,
      ADMIN_SOCKET: join(dir, 'admin.sock'),
      CERTIFICATE: join(dir, 'tls.pem'),
      ...Object.fromEntries(ports.map((server, index) => [`GATEWAY_${index + 1}`, `127.0.0.1:${server}`])),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const killAtExit = () => child.kill('SIGKILL')
  process.once('exit', killAtExit)
  const says = listener(child)
  await listens(port, child)
  return {
    url: `https://localhost:${port}`,
    ...{ port, certificate, says },
    command: (text) => ask(join(dir, 'admin.sock'), text),
    stop: async () => {
      await endProcess(child)
      process.removeListener('exit', killAtExit)
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** Writes `tls.pem`, key and certificate in one, for the name `localhost`. @returns The certificate. */
function makeCertificate(dir: string): string {
  const [key, certificate] = [join(dir, 'key.pem'), join(dir, 'certificate.pem')]
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'],
      ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'],
      ...['-keyout', key, '-out', certificate],
    ],
    { stdio: 'ignore' },
  )
  const text = readFileSync(certificate, 'utf8')
  writeFileSync(join(dir, 'tls.pem'), readFileSync(key, 'utf8') + text, { mode: 0o600 })
  return text
}

/** @throws {Error} If nobody takes a connection within ten seconds, or the process ends. */
async function listens(port: number, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + 10_000
  while (Date.now() < deadline && child.exitCode === null) {
    const socket = connect(port, '127.0.0.1')
    const open = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (open) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error('HAProxy did not start; is it installed? Debian: apt-get install haproxy')
}

async function ask(path: string, text: string): Promise<string> {
  const socket = connect(path)
  socket.end(`${text}\n`)
  let answer = ''
  for await (const chunk of socket) answer += String(chunk)
  return answer
}

function listener({ stdout, stderr }: ChildProcess): Haproxy['says'] {
  let heard = ''
  const waiting = new Set<() => void>()
  for (const stream of [stdout, stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      heard += chunk.toString('utf8')
      for (const look of waiting) look()
    })
  }
  return (pattern) =>
    new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        waiting.delete(look)
        reject(new Error(`HAProxy did not say ${pattern}:\n${heard.slice(-4096)}`))
      }, 30_000)
      const look = () => {
        const found = pattern.exec(heard)
        if (found === null) return
        heard = heard.slice(found.index + found[0].length)
        waiting.delete(look)
        clearTimeout(late)
        resolve()
      }
      waiting.add(look)
      look()
    })
}

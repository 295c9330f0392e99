import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { endProcess } from '../../test/support/gateway.ts'
import { freePort } from '../../test/support/mlflow.ts'
import { ANSWERS, FIXED_ANSWER } from './fixed-answers.ts'
import { hasNginx, spawnNginx } from './nginx.ts'

export type FixedUpstream = {
  readonly url: string
  readonly kind: 'nginx' | 'node:http'
  readonly stop: () => Promise<void>
}

/**
 * A server that gives every request to a path the same answer: nginx where it is installed, since it takes the least
 * from the CPUs that the measured server shares with it, else Node in a process of its own.
 */
export async function startFixedUpstream(dir: string): Promise<FixedUpstream> {
  const port = await freePort()
  const nginx = hasNginx()
  const child = nginx ? startNginx(dir, port) : startNode('fixed-server.ts', port)
  return { ...(await answering(child, port)), kind: nginx ? 'nginx' : 'node:http' }
}

/** A server in a process of its own that makes artifacts of any size up, and counts and sums what it is sent. */
export async function startArtifactUpstream(): Promise<FixedUpstream> {
  const port = await freePort()
  return { ...(await answering(startNode('artifact-server.ts', port), port)), kind: 'node:http' }
}

async function answering(child: ChildProcess, port: number): Promise<Omit<FixedUpstream, 'kind'>> {
  const url = `http://127.0.0.1:${port}`
  for (let attempt = 0; attempt < 200; attempt++) {
    if (child.exitCode !== null) break
    if ((await fetch(url).catch(() => undefined))?.ok) return { url, stop: () => endProcess(child) }
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  child.kill('SIGKILL')
  throw new Error('the fixed upstream did not start')
}

function startNginx(dir: string, port: number): ChildProcess {
  mkdirSync(dir, { recursive: true })
  const files = Object.entries(ANSWERS).map(([path, answer], index) => {
    writeFileSync(join(dir, `answer-${index}`), answer)
    // Files are for reading only, to nginx; what is written gets the answer all the same.
    return answer.length < 2000
      ? `location = ${path} { return 200 '${answer}'; }`
      : `location = ${path} { alias ${join(dir, `answer-${index}`)}; }`
  })
  return spawnNginx(
    dir,
    `open_file_cache max=16; server {
      listen 127.0.0.1:${port}; default_type application/json;
      ${files.join('\n')}
      location / { return 200 '${FIXED_ANSWER}'; }
    }`,
  )
}

function startNode(script: string, port: number): ChildProcess {
  const path = fileURLToPath(new URL(`./${script}`, import.meta.url))
  return spawn(process.execPath, [path, String(port)], { stdio: 'ignore' })
}

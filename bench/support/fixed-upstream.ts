import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { endProcess } from '../../test/support/gateway.ts'
import { freePort } from '../../test/support/mlflow.ts'

/** What MLflow 3.17.2 answers to `experiments/get`, in its size and shape. */
export const FIXED_ANSWER = JSON.stringify({
  experiment: {
    experiment_id: '1',
    name: 'alpha/churn',
    artifact_location: 'mlflow-artifacts:/1',
    lifecycle_stage: 'active',
    last_update_time: 1795596887000,
    creation_time: 1795596887000,
    tags: [{ key: 'mlflow.experimentKind', value: 'custom_model_development' }],
  },
})

export type FixedUpstream = {
  readonly url: string
  readonly kind: 'nginx' | 'node:http'
  readonly stop: () => Promise<void>
}

/**
 * A server that gives every request the same small JSON answer: nginx where it is installed, since it takes the least
 * from the CPUs that the measured server shares with it, else Node in a process of its own.
 */
export async function startFixedUpstream(dir: string): Promise<FixedUpstream> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const nginx = spawnSync('nginx', ['-v']).status === 0
  const child = nginx ? startNginx(dir, port) : startNode(port)
  for (let attempt = 0; attempt < 200; attempt++) {
    if (child.exitCode !== null) break
    if ((await fetch(url).catch(() => undefined))?.ok) {
      return { url, kind: nginx ? 'nginx' : 'node:http', stop: () => endProcess(child) }
    }
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  child.kill('SIGKILL')
  throw new Error('the fixed upstream did not start')
}

function startNginx(dir: string, port: number): ChildProcess {
  mkdirSync(dir, { recursive: true })
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const config = `
daemon off; master_process off; pid nginx.pid; error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 100000000; keepalive_timeout 300;
  ${temporary.map((name) => `${name}_temp_path ${name};`).join(' ')}
  server { listen 127.0.0.1:${port}; default_type application/json; return 200 '${FIXED_ANSWER}'; }
}`
  writeFileSync(join(dir, 'nginx.conf'), config)
  return spawn('nginx', ['-p', dir, '-c', 'nginx.conf', '-e', 'stderr'], { stdio: 'ignore' })
}

function startNode(port: number): ChildProcess {
  const script = fileURLToPath(new URL('./fixed-server.ts', import.meta.url))
  return spawn(process.execPath, [script, String(port)], { stdio: 'ignore' })
}

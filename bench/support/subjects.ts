import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { exportSPKI, generateKeyPair, SignJWT } from 'jose'
import { endProcess } from '../../test/support/gateway.ts'
import { freePort } from '../../test/support/mlflow.ts'
import { hasNginx, spawnNginx } from './nginx.ts'

const BARE_PROXY = fileURLToPath(new URL('./bare-proxy.ts', import.meta.url))

/** A server that is measured, and how it is asked. */
export type Subject = {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Whose CPU time and memory are its own, descendants included. */
  readonly pids: readonly number[]
  /** Those of them that stand in front of a server which counts too. */
  readonly front?: readonly number[]
  readonly stop: () => Promise<void>
}

/** Why something is not measured here; the rest is. */
export class NotHere extends Error {}

/** nginx with nothing on top but what streaming needs. */
export async function startNginxProxy(upstreamUrl: string, dir: string): Promise<Subject> {
  if (!hasNginx()) throw new NotHere('nginx is not installed (Debian: apt-get install nginx-light)')
  const port = await freePort()
  const child = spawnNginx(
    dir,
    `upstream fixed { server ${new URL(upstreamUrl).host}; keepalive 64; }
    server {
      listen 127.0.0.1:${port};
      location / {
        proxy_pass http://fixed; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
        proxy_request_buffering off; proxy_max_temp_file_size 0; proxy_buffers 16 64k;
      }
    }`,
  )
  const url = `http://127.0.0.1:${port}`
  for (let attempt = 0; attempt < 200 && child.exitCode === null; attempt++) {
    if ((await fetch(url).catch(() => undefined))?.ok) break
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  return { url, headers: {}, pids: [child.pid ?? 0], stop: () => endProcess(child) }
}

/** Fastify and reply-from with nothing on top. */
export function startBareProxy(upstreamUrl: string): Promise<Subject> {
  return startProxy([upstreamUrl], {})
}

/** The same, and a token verified for each request. */
export async function startVerifyingProxy(upstreamUrl: string, dir: string): Promise<Subject> {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const keyFile = join(dir, 'public.pem')
  writeFileSync(keyFile, await exportSPKI(publicKey))
  const token = await new SignJWT({ sub: 'editor' })
    .setProtectedHeader({ alg: 'ES256', typ: 'JWT' })
    .setAudience('bench')
    .setExpirationTime('12h')
    .sign(privateKey)
  return startProxy([upstreamUrl, '--jwt', keyFile], { authorization: `Bearer ${token}` })
}

async function startProxy(
  args: readonly string[],
  headers: Readonly<Record<string, string>>,
): Promise<Subject> {
  const child = spawn(process.execPath, [BARE_PROXY, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return {
    url: `http://127.0.0.1:${line.toString().trim()}`,
    headers,
    pids: [child.pid ?? 0],
    stop: () => endProcess(child),
  }
}

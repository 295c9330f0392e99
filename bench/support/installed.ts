/**
 * What the gateway is compared with and nothing else needs: put into `.bench/` the first time it is asked for, in exactly
 * these versions.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { NotHere } from './subjects.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const FOLDER = join(ROOT, '.bench')

export const OAUTH2_PROXY_VERSION = '7.15.6'
export const OIDC_AUTH_VERSION = '11.0.2'

/** @returns The program. @throws {NotHere} if it cannot be built here. */
export function installOauth2Proxy(): string {
  const program = join(FOLDER, 'bin', 'oauth2-proxy')
  if (existsSync(program)) return program
  const module = `github.com/oauth2-proxy/oauth2-proxy/v7@v${OAUTH2_PROXY_VERSION}`
  const env = { GOBIN: join(FOLDER, 'bin') }
  run('oauth2-proxy', ['go', 'install', module], env)
  return program
}

/** @returns The virtual environment. @throws {NotHere} without Python 3.12, which it needs, or a registry. */
export function installOidcAuth(): string {
  const venv = join(FOLDER, `mlflow-oidc-auth-${OIDC_AUTH_VERSION}`)
  const program = join(venv, 'bin', 'mlflow')
  if (existsSync(program)) return venv
  const uv = join(ROOT, '.uv', 'bin', 'uv')
  const requirements = fileURLToPath(new URL('./mlflow-oidc-auth.txt', import.meta.url))
  const python = process.env['BENCH_PYTHON'] ?? '3.12'
  try {
    run('mlflow-oidc-auth', [uv, 'venv', '-q', '--python', python, venv])
    const into = ['--python', join(venv, 'bin', 'python'), '--no-deps', '--compile-bytecode']
    run('mlflow-oidc-auth', [uv, 'pip', 'install', '-q', ...into, '-r', requirements])
  } catch (fault) {
    // Half an environment would be taken for a whole one.
    rmSync(venv, { recursive: true, force: true })
    throw fault
  }
  return venv
}

function run(
  what: string,
  [program = '', ...args]: readonly string[],
  env: Record<string, string> = {},
): void {
  console.error(`installing ${what} into .bench/`)
  const { status, error, stderr } = spawnSync(program, args, {
    env: { ...process.env, UV_SYSTEM_CERTS: '1', UV_PYTHON_DOWNLOADS: 'never', ...env },
    encoding: 'utf8',
    timeout: 900_000,
  })
  if (status === 0) return
  const reason = (error?.message ?? stderr).trim().split('\n').slice(0, 3).join(' ')
  throw new NotHere(`${what} could not be installed: ${reason}`)
}

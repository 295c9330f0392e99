import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export function hasNginx(): boolean {
  return spawnSync('nginx', ['-v']).status === 0
}

/** One nginx process in the foreground, without a log. @param http What stands in its `http` block. */
export function spawnNginx(dir: string, http: string): ChildProcess {
  mkdirSync(dir, { recursive: true })
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const config = `
daemon off; master_process off; pid nginx.pid; error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 100000000; keepalive_timeout 300; client_max_body_size 0; sendfile on;
  ${temporary.map((name) => `${name}_temp_path ${name};`).join(' ')}
  ${http}
}`
  writeFileSync(join(dir, 'nginx.conf'), config)
  return spawn('nginx', ['-p', dir, '-c', 'nginx.conf', '-e', 'stderr'], { stdio: 'ignore' })
}

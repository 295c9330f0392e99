/** Files, disk, certificates and time: each judged by itself. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { certificateChecks } from '../../src/doctor/certificates.ts'
import { type Check, ok } from '../../src/doctor/check.ts'
import { judgeDate } from '../../src/doctor/clock.ts'
import { judgeFree } from '../../src/doctor/disk.ts'
import { fileChecks } from '../../src/doctor/files.ts'
import { judgeAddresses } from '../../src/doctor/public-url.ts'
import { runChecks } from '../../src/doctor/run.ts'
import type { Setup } from '../../src/doctor/setup.ts'
import { storeChecks } from '../../src/doctor/store.ts'
import { MINIMAL } from '../config/environment.ts'
import { type CertificateMaker, createCertificates, type Issued } from '../support/certificates.ts'

/** A set-up with these variables, as a user who is not root would look at it. */
function setupOf(changes: Readonly<Record<string, string>>, setup: Partial<Setup> = {}): Setup {
  const env = { ...MINIMAL, ...changes }
  return { config: readConfig(env), env, fetch, nowMs: Date.now, ownAddresses: [], uid: 1000, ...setup }
}

/** Each finding as `name: level: what`. */
async function found(checks: readonly Check[]): Promise<readonly string[]> {
  const lines: string[] = []
  for await (const { name, level, what } of runChecks(checks)) lines.push(`${name}: ${level}: ${what}`)
  return lines
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'doctor-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

describe('a file', () => {
  const SECRET = 'Vq3J9nQ2mX7pL0sRt8WzYb4NcH6fGdA1eUoIi5kK'

  it.each<[string, number, string]>([
    ['OIDC_CLIENT_SECRET_FILE', 0o600, 'ok: PATH is readable for whom it should be (0600)'],
    // As Kubernetes mounts it for a group.
    ['OIDC_CLIENT_SECRET_FILE', 0o440, 'ok: PATH is readable for whom it should be (0440)'],
    ['OIDC_CLIENT_SECRET_FILE', 0o644, 'fault: PATH can be read by everybody on this machine (0644)'],
    ['OIDC_CLIENT_SECRET_FILE', 0o620, 'fault: PATH can be written by its group (0620)'],
    ['AUDIT_FILE', 0o640, 'ok: PATH is readable for whom it should be (0640)'],
    ['AUDIT_FILE', 0o644, 'fault: PATH can be read by everybody on this machine (0644)'],
    ['POLICY_FILE', 0o644, 'ok: PATH is readable for whom it should be (0644)'],
    ['POLICY_FILE', 0o664, 'fault: PATH can be written by its group (0664)'],
    ['POLICY_FILE', 0o646, 'fault: PATH can be written by everybody on this machine (0646)'],
  ])('%s of mode %o', async (name, mode, finding) => {
    const path = join(temporaryFolder(), 'file')
    writeFileSync(path, SECRET)
    chmodSync(path, mode)
    const setup = setupOf({ [name]: path, DATABASE_URL: 'postgres://gateway@127.0.0.1/gateway' }, { uid: 0 })
    expect(await found(fileChecks(setup))).toEqual([`file: ${name}: ${finding.replace('PATH', path)}`])
  })

  it('of SQLite, with its journal beside it', async () => {
    const folder = temporaryFolder()
    const path = join(folder, 'gateway.db')
    for (const [end, mode] of [
      ['', 0o600],
      ['-wal', 0o644],
    ] as const) {
      writeFileSync(path + end, '')
      chmodSync(path + end, mode)
    }
    expect(await found(fileChecks(setupOf({ DATABASE_URL: `sqlite:${path}` }, { uid: 0 })))).toEqual([
      `file: database: ok: ${path} is readable for whom it should be (0600)`,
      `file: database-wal: fault: ${path}-wal can be read by everybody on this machine (0644)`,
    ])
  })

  it('in a folder that is missing, or everybody may write into', async () => {
    const folder = join(temporaryFolder(), 'open')
    const setup = setupOf({ DATABASE_URL: `sqlite:${folder}/gateway.db` })
    expect(await found(fileChecks(setup))).toEqual([
      `file: database: fault: the folder of ${folder}/gateway.db does not exist (database)`,
    ])
    mkdirSync(folder)
    chmodSync(folder, 0o777)
    expect(await found(fileChecks(setup))).toEqual([
      `file: database: fault: everybody on this machine may write into ${folder}`,
    ])
    chmodSync(folder, 0o1777)
    expect(await found(fileChecks(setup))).toEqual([
      `file: database: skipped: ${folder}/gateway.db is not there yet`,
    ])
  })
})

describe('a SQLite store', () => {
  it('that is not there is not made', async () => {
    const path = join(temporaryFolder(), 'gateway.db')
    expect(await found(storeChecks(setupOf({ DATABASE_URL: `sqlite:${path}` })))).toEqual([
      `store: schema: warning: there is no database at ${path} yet`,
      'store: secret: skipped: not known: there is no store, or it does not answer',
      'store: clock: skipped: not known: there is no store, or it does not answer',
    ])
    expect(existsSync(path)).toBe(false)
  })

  it('that is no database', async () => {
    const path = join(temporaryFolder(), 'gateway.db')
    writeFileSync(path, 'no database at all, but a text that is long enough to have a header'.repeat(100))
    const [line] = await found(storeChecks(setupOf({ DATABASE_URL: `sqlite:${path}` })))
    expect(line).toBe('store: schema: fault: the database cannot be read: it failed with SQLITE_NOTADB')
  })
})

describe('room on a disk', () => {
  const MB = 1024 * 1024
  it.each<[number, number, string, string]>([
    [50, 0, 'fault', '50 MB are left in /data'],
    [500, 0, 'warning', '500 MB are left in /data'],
    [5000, 0, 'ok', '5000 MB are left in /data'],
    [5000, 6000, 'warning', '5000 MB are left in /data, and the audit files may grow by 6000 MB'],
  ])('of %i MB with %i needed', (free, needed, level, what) => {
    const finding = judgeFree('/data', free * MB, { needed: needed * MB, whose: 'the audit files' })
    expect(finding).toMatchObject({ level, what })
  })
})

describe('a certificate', () => {
  let certificates: CertificateMaker
  let good: Issued
  let elsewhere: Issued
  let authority: string
  beforeAll(() => {
    certificates = createCertificates()
    const issuer = certificates.authority('of a test')
    authority = issuer.certFile
    good = issuer.issue({ days: 30 })
    elsewhere = issuer.issue({ host: 'elsewhere.example', name: 'elsewhere.example' })
  })
  afterAll(() => certificates.stop())

  /** @returns The port of an https server that shows it. */
  async function serve({ cert, key }: Issued): Promise<number> {
    const server = createServer({ cert, key }).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    onTestFinished(() => void server.close())
    return (server.address() as AddressInfo).port
  }

  const DAY = 86_400_000

  it.each<[string, number, string]>([
    ['in order', 0, 'ok: the certificate of the tracking server is valid for 29 days more'],
    ['near its end', 20 * DAY, 'warning: the certificate of the tracking server expires in 9 days'],
    ['past its end', 31 * DAY, 'fault: the certificate of the tracking server expired on DATE'],
    ['not begun', -2 * DAY, 'fault: the certificate of the tracking server is valid from DATE on only'],
  ])('of the tracking server that is %s', async (_what, offMs, finding) => {
    const port = await serve(good)
    const env = {
      UPSTREAM_URL: `https://localhost:${port}`,
      UPSTREAM_CA_FILE: authority,
      PUBLIC_URL: 'http://localhost:8080',
    }
    const lines = await found(certificateChecks(setupOf(env, { nowMs: () => Date.now() + offMs })))
    const line = lines.find((each) => each.startsWith('certificate: MLflow: '))
    expect(line?.replace(/\d{4}-\d\d-\d\d(?:T\d\d:\d\dZ)?/, 'DATE')).toBe(`certificate: MLflow: ${finding}`)
  })

  it('that nobody here trusts, or that is for another name', async () => {
    const named = async (port: number, ca: Readonly<Record<string, string>>) => {
      const env = { UPSTREAM_URL: `https://localhost:${port}`, ...ca }
      return (await found(certificateChecks(setupOf(env)))).find((each) =>
        each.startsWith('certificate: MLflow: '),
      )
    }
    expect(await named(await serve(good), {})).toBe(
      'certificate: MLflow: fault: the certificate of the tracking server is refused: it is not trusted here',
    )
    expect(await named(await serve(elsewhere), { UPSTREAM_CA_FILE: authority })).toBe(
      'certificate: MLflow: fault: the certificate of the tracking server is refused: it is for another name',
    )
  })

  it('of the gateway itself, for another host than that of PUBLIC_URL', async () => {
    const files = { TLS_CERT_FILE: good.certFile, TLS_KEY_FILE: good.keyFile }
    const own = async (PUBLIC_URL: string) =>
      (await found(certificateChecks(setupOf({ ...files, PUBLIC_URL }))))[0]
    expect(await own('https://localhost:1')).toBe(
      'certificate: TLS_CERT_FILE: ok: the certificate in TLS_CERT_FILE is valid for 29 days more',
    )
    expect(await own('https://mlflow.invalid')).toBe(
      'certificate: TLS_CERT_FILE: fault: the certificate in TLS_CERT_FILE is not for mlflow.invalid, the host of PUBLIC_URL',
    )
  })
})

describe('how a request arrives', () => {
  const NOBODY = '192.0.2.66'
  const direct = {
    instance: 'i',
    at: 0,
    peer: '10.0.0.5',
    isTrusted: false,
    isForwarded: true,
    client: '10.0.0.5',
    isCertain: true,
  }

  it.each<[string, string, Partial<typeof direct>, string, string]>([
    [
      'by a proxy that is not listed',
      '',
      {},
      'warning',
      'requests come from 10.0.0.5, which is not in TRUSTED_PROXIES, with X-Forwarded-For',
    ],
    [
      'straight, on this machine',
      '',
      { peer: '127.0.0.1', client: '127.0.0.1' },
      'ok',
      'requests come from 127.0.0.1, which is in no TRUSTED_PROXIES: right if no proxy runs on this machine',
    ],
    [
      'by a proxy that names nobody',
      '10.0.0.5',
      { isTrusted: true, isForwarded: false },
      'warning',
      'the proxy 10.0.0.5 does not say in X-Forwarded-For for whom it asks',
    ],
    [
      'by a proxy that cannot be understood',
      '10.0.0.5',
      { isTrusted: true, isCertain: false },
      'warning',
      'the proxy 10.0.0.5 sends a header X-Forwarded-For that cannot be read',
    ],
    [
      'by a proxy that lets lies pass',
      '10.0.0.5',
      { isTrusted: true, client: NOBODY },
      'warning',
      `a client at this machine can claim any address: X-Forwarded-For said ${NOBODY}, and it was believed`,
    ],
    [
      'by a proxy as it should be',
      '10.0.0.5',
      { isTrusted: true, client: '203.0.113.9' },
      'ok',
      'the proxy 10.0.0.5 is trusted, and says that this machine is 203.0.113.9',
    ],
  ])('%s', (_how, TRUSTED_PROXIES, seen, level, what) => {
    const { config } = setupOf({ TRUSTED_PROXIES })
    expect(judgeAddresses(config, { ...direct, ...seen })).toMatchObject({ level, what })
  })
})

describe('the clock of an answer', () => {
  it.each<[Record<string, string>, string]>([
    [{}, 'the answer has no date to compare with'],
    [
      { date: 'Fri, 27 Nov 2026 00:00:00 GMT', age: '600' },
      'the answer came from a cache, so its date is not that of now',
    ],
  ])('with %j says nothing', (headers, what) => {
    expect(judgeDate('it', new Response('', { headers }), 0)).toEqual({ level: 'skipped', what })
  })
})

describe('checks', () => {
  const check = (name: string, run: Check['run']): Check => ({ name, run })

  it('are told in their order, and none is waited for longer than it may take', async () => {
    let isToldToEnd = false
    const hanging = check('hangs', (signal) => {
      signal.addEventListener('abort', () => {
        isToldToEnd = true
      })
      return new Promise(() => undefined)
    })
    const before = performance.now()
    const lines: string[] = []
    const checks = [
      hanging,
      check('fails', () => Promise.reject(new Error('oh postgres://me:pw@host/db'))),
      check('works', async () => ok('well')),
    ]
    for await (const { name, level, what } of runChecks(checks, 400)) lines.push(`${name} ${level} ${what}`)
    expect(lines).toEqual([
      'hangs fault it did not come to an end within 0.4 s',
      'fails fault it could not be looked at: oh postgres://[user]@host/db',
      'works ok well',
    ])
    expect(isToldToEnd).toBe(true)
    expect(performance.now() - before).toBeLessThan(10_000)
  })
})

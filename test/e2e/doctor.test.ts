/** `doctor` on a set-up of real parts: a real MLflow, a real OpenID Provider, the gateway as a process of its own. */
import { createHash } from 'node:crypto'
import { chmodSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Deployment, startDeployment } from '../support/deployment.ts'

type Report = {
  readonly sound: boolean
  readonly fault: number
  readonly checks: readonly { readonly name: string; readonly level: string; readonly what: string }[]
}

/** What cannot be otherwise on loopback, where tests run as root, or on a small disk. */
const MAY_WARN = ['configuration: warning 1', 'environment: user', 'disk: database']

let deployment: Deployment
beforeAll(async () => {
  deployment = await startDeployment({ env: { AUDIT_STDOUT: 'false' } })
})
afterAll(() => deployment.stop())

/** What the store holds, whatever its journal does meanwhile. */
function digestOfStore(): string {
  const { dir } = deployment.gateway
  return createHash('sha256')
    .update(readFileSync(join(dir, 'gateway.db')))
    .digest('hex')
}

describe('doctor', () => {
  it('finds nothing at fault where nothing is, changes nothing, and tells no secret', async () => {
    const { gateway, issuer } = deployment
    const before = digestOfStore()
    const { code, stdout, stderr } = await gateway.cli('doctor', '--json')
    const { checks, ...report } = JSON.parse(stdout) as Report
    const unsound = checks.filter(
      ({ level, name }) => level === 'fault' || (level === 'warning' && !MAY_WARN.includes(name)),
    )
    expect(unsound).toEqual([])
    expect([code, report.sound, stderr]).toEqual([0, true, ''])
    expect(digestOfStore()).toBe(before)
    const secrets = [gateway.env['GATEWAY_SECRET'], issuer.clientSecret]
    for (const secret of secrets) expect(stdout).not.toContain(secret)

    const said = new Map(checks.map(({ name, level, what }) => [name, `${level}: ${what}`]))
    expect(said.get('MLflow: version')).toBe('ok: MLflow 3.17.2, which the catalogue knows')
    expect(said.get('MLflow: host check')).toBe(
      'ok: the tracking server takes requests for the host localhost',
    )
    expect(said.get('provider oidc: client')).toBe('ok: oidc knows the client and its secret')
    expect(said.get('provider oidc: redirect URI')).toBe(
      `ok: oidc takes the redirect URI ${gateway.url}/auth/callback/oidc`,
    )
    expect(said.get('public URL: leads to this gateway')).toBe(
      'ok: PUBLIC_URL leads to a gateway with this GATEWAY_SECRET',
    )
  })

  it('ends with 1 if anything is at fault, and says what to do', async () => {
    const { gateway } = deployment
    const database = join(gateway.dir, 'gateway.db')
    chmodSync(database, 0o644)
    try {
      const { code, stdout } = await gateway.cli('doctor')
      expect(code).toBe(1)
      expect(stdout).toContain(
        `✗ file: database: ${database} can be read by everybody on this machine (0644)\n`,
      )
      expect(stdout).toContain(`    → chmod o-rwx ${database}`)
      expect(stdout).toContain('\n1 fault, ')
    } finally {
      chmodSync(database, 0o600)
    }
  })

  it('tells what a tracking server that was not told of a name says to it (field report 48)', async () => {
    const { gateway } = deployment
    Object.assign(gateway.env, { UPSTREAM_HOST: 'mlflow.example.org' })
    try {
      const { code, stdout } = await gateway.cli('doctor')
      expect(code).toBe(1)
      expect(stdout).toContain(
        '✗ MLflow: host check: the tracking server refuses requests for the host mlflow.example.org\n',
      )
    } finally {
      Reflect.deleteProperty(gateway.env, 'UPSTREAM_HOST')
    }
  })

  it('ends with 2 if the configuration itself is wrong', async () => {
    const { gateway } = deployment
    Object.assign(gateway.env, { METRICS_PORT: 'many' })
    try {
      const { code, stderr } = await gateway.cli('doctor')
      expect([code, stderr]).toEqual([2, expect.stringContaining('METRICS_PORT is not a whole number')])
    } finally {
      Reflect.deleteProperty(gateway.env, 'METRICS_PORT')
    }
  })
})

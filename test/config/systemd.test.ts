import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { allEntries } from '../../src/config/document.ts'
import { readConfig } from '../../src/config.ts'
import { files, SECRET } from './environment.ts'

const unit = readFileSync(
  new URL('../../deploy/systemd/mlflow-auth-gateway.service', import.meta.url),
  'utf8',
)
const settings = [...unit.matchAll(/^(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => ({ name, value }))
const valuesOf = (wanted: string) => settings.filter(({ name }) => name === wanted).map(({ value }) => value)
const environment = Object.fromEntries(
  valuesOf('Environment').map((line) => line.split(/=(.*)/s).slice(0, 2)),
)

describe('deploy/systemd/mlflow-auth-gateway.service', () => {
  it.each([
    ['DynamicUser', 'yes'],
    ['ProtectSystem', 'strict'],
    ['ProtectHome', 'yes'],
    ['PrivateTmp', 'yes'],
    ['NoNewPrivileges', 'yes'],
    ['CapabilityBoundingSet', ''],
    ['LimitCORE', '0'], // a core dump would hold every secret
    ['StateDirectoryMode', '0700'],
    ['UMask', '0077'],
    ['RestartPreventExitStatus', '2'],
  ])('%s=%s', (name, value) => {
    expect(valuesOf(name)).toEqual([value])
  })

  it('has secrets as credentials of its own, each known by its file', () => {
    const credentials = valuesOf('LoadCredential').map((value) => value.split(':')[0])
    const given = Object.entries(environment).filter(([name]) => name.endsWith('_FILE'))
    expect(given.map(([, path]) => path)).toEqual(credentials.map((name) => `%d/${name}`))
    const secret = allEntries().filter(
      ({ variable }) => variable.secret === true && variable.default === undefined,
    )
    const names = secret.map(({ name }) => name)
    expect(Object.keys(environment).filter((name) => names.includes(name))).toEqual([])
  })

  it('makes a configuration that starts, with what the environment file has to say', () => {
    const said = {
      ...{ PUBLIC_URL: 'https://mlflow.example.org', UPSTREAM_URL: 'http://127.0.0.1:5000' },
      ...{ OIDC_ISSUER: 'https://sso.example.org', OIDC_CLIENT_ID: 'mlflow' },
    }
    const contents = { '%d/gateway_secret': SECRET, '%d/oidc_client_secret': 'x' }
    expect(readConfig({ ...environment, ...said }, files(contents))).toMatchObject({
      environment: 'production',
    })
  })

  it('waits for requests in flight: more than the default of SHUTDOWN_GRACE', () => {
    const seconds = Number(/^(\d+)s$/.exec(valuesOf('TimeoutStopSec')[0] ?? '')?.[1])
    expect(seconds).toBeGreaterThan(30)
  })
})

import { describe, expect, it } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { CATALOGUE } from '../../src/mlflow/catalogue.ts'
import { faultsOf, files, MINIMAL, problemsOf } from './environment.ts'

const STAGING = {
  UPSTREAMS: 'staging',
  UPSTREAM_STAGING_URL: 'http://staging:5000',
  UPSTREAM_STAGING_PUBLIC_URL: 'https://staging.example.org',
}

const read = (changes: Record<string, string>) => readConfig({ ...MINIMAL, ...changes }, files()).upstreams

describe('further tracking servers', () => {
  it('there are none unless they are listed', () => {
    expect(read({})).toEqual([])
  })

  it('each has variables of its own', () => {
    const LAB = {
      UPSTREAMS: 'staging, lab',
      UPSTREAM_LAB_URL: 'https://lab.internal:8443',
      UPSTREAM_LAB_PUBLIC_URL: 'https://mlflow.example.org/lab/',
      UPSTREAM_LAB_WORKSPACES: 'true',
    }
    const upstreams = read({ ...STAGING, ...LAB, ALLOWED_HOSTS: 'mlflow.internal' })
    expect(upstreams).toMatchObject([
      { id: 'staging', pathPrefix: undefined, upstreamHost: 'localhost', workspaces: false },
      { id: 'lab', pathPrefix: '/lab', upstreamHost: 'lab.internal:8443', workspaces: true },
    ])
    expect(upstreams.map(({ allowedHosts }) => allowedHosts)).toEqual([
      ['staging.example.org'],
      ['mlflow.example.org', 'mlflow.internal'],
    ])
  })

  it('what stands before the main path stays there', () => {
    const under = { PUBLIC_URL: 'https://mlflow.example.org/ml' }
    const [staging] = read({
      ...under,
      ...STAGING,
      UPSTREAM_STAGING_PUBLIC_URL: `${under.PUBLIC_URL}/staging`,
    })
    // The proxy in front takes the main path off, as it does for all.
    expect([staging?.pathPrefix, staging?.publicUrl.pathname]).toEqual(['/staging', '/ml/staging'])
  })

  const NAME = 'UPSTREAM_STAGING_PUBLIC_URL'
  it.each<[Record<string, string | undefined>, string]>([
    [{ UPSTREAM_STAGING_URL: undefined }, 'UPSTREAM_STAGING_URL is not set'],
    [{ [NAME]: undefined }, `${NAME} is not set`],
    [{ [NAME]: 'https://mlflow.example.org' }, `${NAME} is on the host of PUBLIC_URL, but not below it`],
    [
      { [NAME]: 'https://mlflow.example.org:8443/x' },
      `${NAME} is on the host of PUBLIC_URL, but not below it`,
    ],
    [
      { [NAME]: 'https://mlflow.example.org/api/x' },
      `${NAME} has a path that MLflow or the gateway uses itself`,
    ],
    [{ [NAME]: 'http://staging.example.org' }, `${NAME} is not https or http as PUBLIC_URL is`],
    [
      { UPSTREAM_STAGING_URL: 'https://mlflow.example.org' },
      'UPSTREAM_STAGING_URL is the gateway itself, by PUBLIC_URL',
    ],
    [
      { UPSTREAM_STAGING_CA_FILE: '/ca.pem' },
      'UPSTREAM_STAGING_CA_FILE is set and UPSTREAM_STAGING_URL is not https',
    ],
    [{ UPSTREAM_STAGING_HOST: 'a b' }, 'UPSTREAM_STAGING_HOST is no host name'],
    [
      { UPSTREAMS: 'Staging' },
      'UPSTREAMS is not lower-case ids of letters and digits, comma-separated, each once',
    ],
    [
      { UPSTREAMS: 'staging,staging' },
      'UPSTREAMS is not lower-case ids of letters and digits, comma-separated, each once',
    ],
    [
      { UPSTREAMS: undefined },
      'UPSTREAM_STAGING_URL belongs to the tracking server staging, which UPSTREAMS does not list',
    ],
    [
      { UPSTREAM_LAB_URL: 'http://x' },
      'UPSTREAM_LAB_URL belongs to the tracking server lab, which UPSTREAMS does not list',
    ],
    [
      {
        UPSTREAMS: 'staging,lab',
        ...{ UPSTREAM_LAB_URL: 'http://lab:1', UPSTREAM_LAB_PUBLIC_URL: 'https://staging.example.org/lab' },
      },
      'UPSTREAM_LAB_PUBLIC_URL is where another one is',
    ],
  ])('%j: %s', (changes, problem) => {
    expect(problemsOf({ ...STAGING, ...changes })).toContain(problem)
  })

  it('says what to do', () => {
    const [fault] = faultsOf({ ...STAGING, [NAME]: 'https://mlflow.example.org' })
    expect(fault?.remedy).toContain('https://mlflow.example.org/staging')
  })

  it.each([...new Set(CATALOGUE.flatMap(({ paths }) => paths.map(({ text }) => text.split('/')[1] ?? '')))])(
    'none is below /%s, where MLflow is',
    (segment) => {
      if (segment === '') return
      const address = `https://mlflow.example.org/${segment}`
      expect(problemsOf({ ...STAGING, [NAME]: address })).toEqual([
        `${NAME} has a path that MLflow or the gateway uses itself`,
      ])
    },
  )
})

/** What can be said of the Helm chart without Helm; `npm run test:helm` renders it. */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { renderChartSchema } from '../../src/config/chart-schema.ts'
import { allEntries, CHART_SCHEMA } from '../../src/config/document.ts'

const root = new URL('../../', import.meta.url)
const folder = 'deploy/helm/mlflow-auth-gateway/'
const text = (path: string) => readFileSync(new URL(path, root), 'utf8')

type Part = {
  readonly additionalProperties: false
  readonly properties: Readonly<Record<string, { readonly pattern?: string }>>
  readonly patternProperties: Readonly<Record<string, unknown>>
}

const schema = JSON.parse(text(CHART_SCHEMA)) as {
  readonly additionalProperties: false
  readonly properties: Readonly<Record<string, object>> & { readonly config: Part; readonly secrets: Part }
}
const values = parse(text(`${folder}values.yaml`)) as Readonly<Record<string, unknown>>
const { config, secrets } = schema.properties

describe('values.schema.json', () => {
  it('knows the variables of the gateway and no others', () => {
    expect(text(CHART_SCHEMA)).toBe(renderChartSchema(text(CHART_SCHEMA)))
    const plain = allEntries().filter(({ variable }) => variable.secret !== true)
    // Further tracking servers have an id of their operator's choice in the names of their variables.
    const fixed = plain.filter(({ variable }) => variable.section !== 'Further tracking servers')
    const names = [...fixed.map(({ name }) => name), 'DATABASE_URL']
    expect(Object.keys(config.properties).toSorted()).toEqual(names.toSorted())
    expect([config.additionalProperties, secrets.additionalProperties]).toEqual([false, false])
  })

  it('takes secrets as the key of a Secret, never as values', () => {
    const secret = allEntries().filter(({ variable }) => variable.secret === true)
    expect(Object.keys(secrets.properties).toSorted()).toEqual(secret.map(({ name }) => name).toSorted())
    for (const { name } of secret) {
      expect(secrets.properties[name]).toMatchObject({
        required: ['name', 'key'],
        additionalProperties: false,
      })
    }
    // The path of a file holds no password.
    expect(config.properties['DATABASE_URL']).toMatchObject({ pattern: '^sqlite:' })
  })

  it.each([
    ['config', 'OIDC_CORP_ISSUER', true],
    ['config', 'UPSTREAM_STAGING_URL', true],
    ['config', 'UPSTREAM_STAGING_COLOUR', false],
    ['config', 'OIDC_CORP_CLIENT_SECRET', false],
    ['config', 'OIDC_CORP_ISSUERS', false],
    ['secrets', 'OIDC_CORP_CLIENT_SECRET', true],
    ['secrets', 'OIDC_CORP_ISSUER', false],
  ] as const)('%s of a named provider: %s %s', (part, name, known) => {
    const patterns = Object.keys(schema.properties[part].patternProperties)
    expect(patterns.some((pattern) => new RegExp(pattern).test(name))).toBe(known)
  })

  it('describes every value there is, and no other', () => {
    expect(schema.additionalProperties).toBe(false)
    expect(Object.keys(schema.properties).filter((name) => name !== 'global')).toEqual(Object.keys(values))
  })
})

describe('values.yaml', () => {
  it('holds no secret', () => {
    expect(values['secrets']).toEqual({})
    expect(text(`${folder}values.yaml`)).not.toMatch(/password|postgres:\/\/\w+:/i)
  })

  it('sets only variables that are known', () => {
    const names = Object.keys(values['config'] as object)
    expect(names.filter((name) => !(name in config.properties))).toEqual([])
  })
})

it('the chart has the version of the gateway', () => {
  const { version } = JSON.parse(text('package.json')) as { readonly version: string }
  expect(parse(text(`${folder}Chart.yaml`))).toMatchObject({ version, appVersion: version })
})

it('what the chart brings along is what lies beside it', () => {
  const beside = {
    'alerts.yml': 'prometheus/alerts.yml',
    'dashboard.json': 'grafana/mlflow-auth-gateway.json',
  }
  expect(readdirSync(new URL(`${folder}files/`, root)).toSorted()).toEqual(Object.keys(beside))
  for (const [name, path] of Object.entries(beside))
    expect(text(`${folder}files/${name}`)).toBe(text(`deploy/${path}`))
})

/** The alerts and the dashboard ask for nothing that `/metrics` of a real gateway does not serve. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { decision } from '../audit/event-examples.ts'
import { type CertificateMaker, createCertificates } from '../support/certificates.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

const root = new URL('../../', import.meta.url)
const text = (path: string) => readFileSync(new URL(path, root), 'utf8')

type Rules = {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly alert: string
      readonly expr: string
      readonly labels: Readonly<Record<string, string>>
      readonly annotations: Readonly<Record<string, string>>
    }[]
  }[]
}

type Dashboard = {
  readonly panels: readonly {
    readonly title: string
    readonly targets: readonly { readonly expr: string }[]
  }[]
  readonly templating: { readonly list: readonly { readonly query: string | { readonly query: string } }[] }
}

const rules = (parse(text('deploy/prometheus/alerts.yml')) as Rules).groups.flatMap((group) => group.rules)
const dashboard = JSON.parse(text('deploy/grafana/mlflow-auth-gateway.json')) as Dashboard

const expressions = [
  ...rules.map(({ alert, expr }) => [alert, expr] as const),
  ...dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr] as const)),
  ...dashboard.templating.list.map(
    ({ query }) => ['variable', typeof query === 'string' ? '' : query.query] as const,
  ),
]

/** What PromQL itself brings along. */
const WORDS =
  /^(?:sum|min|max|topk|rate|increase|changes|absent|histogram_quantile|label_values|by|and|or|job|instance)$/
/** Set by Prometheus for each scrape. */
const OF_PROMETHEUS = { up: ['job', 'instance'] }

/** The metrics an expression names, each with the labels it selects, and the labels it groups by. */
function named(expr: string) {
  const metrics = [...expr.matchAll(/\b([a-z_][a-z0-9_]*)(?:\{([^}]*)\})?/g)].map(
    ([, name = '', selector = '']) => ({
      name,
      labels: [...selector.matchAll(/(\w+)\s*[=!]/g)].map(([, label = '']) => label),
    }),
  )
  const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.split(/,\s*/))
  return { grouped, metrics: metrics.filter(({ name }) => !WORDS.test(name) && !grouped.includes(name)) }
}

/** Label names by series, `_bucket` and the like included, as served. */
function readSeries(served: string): ReadonlyMap<string, ReadonlySet<string>> {
  const series = new Map<string, Set<string>>()
  for (const [, name = '', labels = ''] of served.matchAll(/^([a-z_][a-z0-9_]*)(?:\{(.*)\})? /gm)) {
    const known = series.get(name) ?? new Set(['job', 'instance'])
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) known.add(label)
    series.set(name, known)
  }
  return series
}

let gateway: TestGateway
/** One that speaks https itself: only what it tells of its certificate is looked at. */
let secure: TestGateway
let certificates: CertificateMaker
let series: ReadonlyMap<string, ReadonlySet<string>>
let served: string

beforeAll(async () => {
  certificates = createCertificates()
  const policyFile = join(certificates.dir, 'policy.yaml')
  writeFileSync(policyFile, 'version: 1\nroles: []\n')
  const env = { METRICS_PORT: '0', POLICY_FILE: policyFile }
  gateway = await startTestGateway({ env, version: () => '3.17.2' })
  const { certFile, keyFile } = certificates.authority('monitoring').issue()
  secure = await startTestGateway({
    env: {
      METRICS_PORT: '0',
      PUBLIC_URL: 'https://localhost',
      TLS_CERT_FILE: certFile,
      TLS_KEY_FILE: keyFile,
      // Nobody is there: spans are counted all the same.
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    },
  })
  await gateway.ask({ as: 'reader', target: '/api/2.0/mlflow/experiments/get?experiment_id=1' })
  await gateway.ask({ target: '/auth/login?provider=oidc' })
  gateway.app.audit.record(decision({ event: 'sign_in' }))
  served = (await metricsOf(gateway)) + (await metricsOf(secure))
  series = readSeries(served)
  for (const [name, labels] of Object.entries(OF_PROMETHEUS))
    series = new Map([...series, [name, new Set(labels)]])
})

afterAll(async () => {
  await gateway?.stop()
  await secure?.stop()
  certificates?.stop()
})

async function metricsOf({ app }: TestGateway): Promise<string> {
  return (await fetch(`http://127.0.0.1:${app.metricsAddress()?.port}/metrics`)).text()
}

describe('what is asked for is served', () => {
  it.each(expressions.filter(([, expr]) => expr !== ''))('%s: %s', (_, expr) => {
    const { metrics, grouped } = named(expr.replaceAll('$__rate_interval', '5m').replace(/"[^"]*"/g, '""'))
    expect(metrics.length).toBeGreaterThan(0)
    for (const { name, labels } of metrics) {
      expect([...series.keys()]).toContain(name)
      for (const label of [...labels, ...grouped])
        expect([name, [...(series.get(name) ?? [])]]).toEqual([name, expect.arrayContaining([label])])
    }
  })

  it('and every metric of ours is on the dashboard', () => {
    const shown = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)).join('\n')
    const ours = [...served.matchAll(/^# TYPE (gateway_\w+)/gm)].map(([, name = '']) => name)
    expect(ours.length).toBeGreaterThan(10)
    expect(ours.filter((name) => !shown.includes(name))).toEqual([])
  })
})

it('labels are names of ours: nobody and nothing that was asked about is in them', () => {
  const { userId, username } = { userId: gateway.members.reader.userId, username: 'reader' }
  for (const secret of [userId, `"${username}"`, 'experiment_id', '127.0.0.1'])
    expect(served).not.toContain(secret)
})

it.each(rules)('$alert says what it means and how bad it is', ({ labels, annotations }) => {
  expect(labels['severity']).toMatch(/^(?:critical|warning|info)$/)
  expect(annotations['summary']).toMatch(/^\w.+[^.]$/)
  expect(annotations['description']).toMatch(/\.$/)
})

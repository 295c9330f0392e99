import { describe, expect, it } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { faultsOf, files, MINIMAL, problemsOf } from './environment.ts'

const read = (changes: Record<string, string>, contents = {}) =>
  readConfig({ ...MINIMAL, ...changes }, files(contents)).traces

const ENDPOINT = 'OTEL_EXPORTER_OTLP_ENDPOINT'
const ON = { [ENDPOINT]: 'http://collector:4318' }

it('there are none without an endpoint, whatever else is set', () => {
  expect(read({ OTEL_SERVICE_NAME: 'x', OTEL_EXPORTER_OTLP_HEADERS: 'a=b' })).toBeUndefined()
})

it.each([
  ['has the path of traces added', ON, 'http://collector:4318/v1/traces'],
  ['keeps its own path', { [ENDPOINT]: 'https://c.example/otlp/' }, 'https://c.example/otlp/v1/traces'],
  [
    'for traces goes first, as it is',
    { ...ON, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://t.example/in' },
    'https://t.example/in',
  ],
])('an endpoint %s', (_, changes, expected) => expect(read(changes)?.endpoint.href).toBe(expected))

it('pairs are decoded, and may come from a file', () => {
  const changes = {
    ...ON,
    OTEL_EXPORTER_OTLP_HEADERS_FILE: '/run/headers',
    OTEL_RESOURCE_ATTRIBUTES: ' a = 1 , b=x%2Cy',
  }
  expect(read(changes, { '/run/headers': 'authorization=Bearer%20s3cret,x-tenant=t=1\n' })).toMatchObject({
    headers: { authorization: 'Bearer s3cret', 'x-tenant': 't=1' },
    resource: { a: '1', b: 'x,y' },
    ...{ serviceName: 'mlflow-auth-gateway', sampler: 'parentbased_always_on', continueFromProxies: false },
  })
})

describe('what is not in order stops the start, and its value is in no fault', () => {
  const HEADERS = 'OTEL_EXPORTER_OTLP_HEADERS'
  it.each<[Record<string, string>, string]>([
    [
      { [ENDPOINT]: 'http://u:s3cret@c' },
      `${ENDPOINT} is not an http or https URL without user, query, fragment or special characters`,
    ],
    [{ ...ON, [HEADERS]: 'a=b,s3cret' }, `${HEADERS} has an entry (number 2) that is no key=value`],
    [{ ...ON, [HEADERS]: 'a=%s3cret' }, `${HEADERS} has an entry (number 1) that is no key=value`],
    [{ ...ON, [HEADERS]: 'a=s3cret%0d%0ax: y' }, `${HEADERS} has an entry (number 1) that is no key=value`],
    [{ ...ON, OTEL_TRACES_SAMPLER_ARG: '1.5' }, 'OTEL_TRACES_SAMPLER_ARG is not a number from 0 to 1'],
    [
      { ...ON, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
      'OTEL_EXPORTER_OTLP_PROTOCOL is not one of http/protobuf',
    ],
    [
      { ...ON, TRACE_CONTEXT_FROM_PROXIES: 'true' },
      'TRACE_CONTEXT_FROM_PROXIES is on and TRUSTED_PROXIES is empty',
    ],
  ])('%j', (changes, problem) => {
    expect(problemsOf(changes)).toEqual([problem])
    expect(JSON.stringify(faultsOf(changes))).not.toContain('s3cret')
  })

  it.each(['0', '1', '0.05', '.5', '1.0'])('a share of %s is one', (share) => {
    expect(read({ ...ON, OTEL_TRACES_SAMPLER_ARG: share })?.ratio).toBe(Number(share))
  })
})

it('variables of others, which the machine may have set for all programs, are no misspelt ones', () => {
  const names = [
    ...[
      'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT',
      'OTEL_EXPORTER_OTLP_LOGS_ENDPOINT',
      'OTEL_EXPORTER_OTLP_TIMEOUT',
    ],
    ...['OTEL_EXPORTER_OTLP_COMPRESSION', 'OTEL_TRACES_EXPORTER', 'OTEL_PROPAGATORS', 'OTEL_LOG_LEVEL'],
    ...['OTEL_NODE_RESOURCE_DETECTORS', 'OTEL_SDK_DISABLED', 'SSL_CERT_FILE', 'SSL_CERT_DIR'],
  ]
  expect(problemsOf(Object.fromEntries(names.map((name) => [name, 'x'])))).toEqual([])
})

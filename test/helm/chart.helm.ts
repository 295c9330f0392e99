/** What the chart makes of values, and which values it refuses. `npm run test:helm`. */
import { beforeAll, describe, expect, it } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { files, SECRET } from '../config/environment.ts'
import { type Helm, installHelm, type Manifest, type Values } from './helm.ts'

const CONFIG = {
  PUBLIC_URL: 'https://mlflow.example.org',
  UPSTREAM_URL: 'http://mlflow:5000',
  OIDC_ISSUER: 'https://sso.example.org',
  OIDC_CLIENT_ID: 'mlflow',
}

const GATEWAY_SECRET = { name: 'gateway', key: 'secret' }
const DATABASE_URL = { name: 'gateway', key: 'url' }

/** Two replicas on PostgreSQL. */
const STANDARD = {
  image: { repository: 'registry.example.org/gateway' },
  config: CONFIG,
  secrets: { GATEWAY_SECRET, DATABASE_URL },
  mlflow: { podLabels: { app: 'mlflow' } },
  networkPolicy: { database: { to: [{ podSelector: { matchLabels: { app: 'postgres' } } }] } },
}

/** One replica on SQLite. */
const SMALL = {
  ...STANDARD,
  replicas: 1,
  secrets: { GATEWAY_SECRET },
  persistence: { enabled: true },
}

const EVERYTHING = {
  ...STANDARD,
  policy: { document: 'version: 1\nroles: []\n' },
  ingress: { enabled: true, className: 'nginx', tlsSecretName: 'tls' },
  autoscaling: { enabled: true },
  serviceMonitor: { enabled: true },
  prometheusRule: { enabled: true, labels: { release: 'prometheus' } },
  dashboard: { enabled: true },
}

let helm: Helm
beforeAll(() => {
  helm = installHelm()
})

function find(manifests: readonly Manifest[], kind: string, name = 'gw'): Manifest {
  const found = manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name)
  if (found === undefined) throw new Error(`no ${kind} ${name}`)
  return found
}

/** Only what is looked at. */
type Pod = {
  readonly automountServiceAccountToken: boolean
  readonly enableServiceLinks: boolean
  readonly terminationGracePeriodSeconds: number
  readonly securityContext: object
  readonly volumes: readonly Readonly<Record<string, unknown>>[]
  readonly containers: readonly {
    readonly securityContext: object
    readonly env?: unknown
    readonly volumeMounts: readonly {
      readonly name: string
      readonly mountPath: string
      readonly subPath?: string
    }[]
    readonly [field: string]: unknown
  }[]
}

function podOf(manifests: readonly Manifest[]): Pod {
  return (find(manifests, 'Deployment')['spec'] as { template: { spec: Pod } }).template.spec
}

function environmentOf(manifests: readonly Manifest[]): Readonly<Record<string, string>> {
  return find(manifests, 'ConfigMap')['data'] as Record<string, string>
}

describe.each([
  ['two replicas on PostgreSQL', STANDARD],
  ['one replica on SQLite', SMALL],
  ['everything switched on', EVERYTHING],
] as const)('%s', (_, values) => {
  it('passes lint', () => {
    expect(helm.lint(values)).toBe('')
  })

  it('has a pod without privileges, a token or a place to write but its own', () => {
    const pod = podOf(helm.template(values))
    expect(pod).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          securityContext: {
            allowPrivilegeEscalation: false,
            privileged: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
          livenessProbe: { httpGet: { path: '/healthz' } },
          readinessProbe: { httpGet: { path: '/readyz' } },
          resources: { requests: expect.anything(), limits: { memory: expect.anything() } },
        },
      ],
    })
    // The gateway waits by itself, and says meanwhile that it is not ready.
    expect(pod.containers[0]).not.toHaveProperty('lifecycle')
    expect(environmentOf(helm.template(values))['SHUTDOWN_DELAY']).toBe('5')
    expect(find(helm.template(values), 'ServiceAccount')['automountServiceAccountToken']).toBe(false)
  })

  it('gives the environment of a gateway that starts, and no secret in it', () => {
    const env = environmentOf(helm.template(values))
    const url = 'sqlite:/data/gateway.db'
    const mounted = {
      '/run/secrets/gateway/GATEWAY_SECRET': SECRET,
      // Stands for PostgreSQL, whose URL is not looked at here.
      '/run/secrets/gateway/DATABASE_URL': url,
      [env['POLICY_FILE'] ?? '-']: '',
    }
    const { POLICY_FILE: _, ...checked } = env
    expect(readConfig(checked, files(mounted))).toMatchObject({
      port: 8080,
      metricsPort: 9464,
      databaseUrl: url,
    })
    const container = podOf(helm.template(values)).containers[0]
    expect([
      container?.env,
      Object.keys(env).filter((name) => /SECRET(?!_FILE)|PASSWORD/.test(name)),
    ]).toEqual([undefined, []])
  })

  it('closes MLflow to all but the gateway', () => {
    expect(find(helm.template(values), 'NetworkPolicy', 'gw-mlflow')).toMatchObject({
      metadata: { namespace: 'ml' },
      spec: {
        podSelector: { matchLabels: { app: 'mlflow' } },
        policyTypes: ['Ingress'],
        ingress: [
          {
            from: [
              {
                namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ml' } },
                podSelector: { matchLabels: { 'app.kubernetes.io/instance': 'gw' } },
              },
            ],
            ports: [{ port: 5000 }],
          },
        ],
      },
    })
  })

  it('lets the gateway reach names, MLflow, the provider and its database, and nothing private or of the cloud', () => {
    const { spec } = find(helm.template(values), 'NetworkPolicy') as unknown as {
      spec: {
        policyTypes: string[]
        egress: { to: { ipBlock?: { except: string[] } }[]; ports: { port: number }[] }[]
      }
    }
    expect(spec.policyTypes).toEqual(['Ingress', 'Egress'])
    expect(spec.egress.map(({ ports }) => ports.map(({ port }) => port))).toEqual([
      [53, 53],
      [5000],
      [443],
      [5432],
    ])
    for (const { to } of spec.egress) expect(to.length).toBeGreaterThan(0)
    const blocks = spec.egress.flatMap(({ to }) => to.flatMap(({ ipBlock }) => ipBlock?.except ?? []))
    expect(blocks).toEqual(
      expect.arrayContaining(['10.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.168.0.0/16']),
    )
  })
})

describe('two replicas', () => {
  it('are replaced one by one, each with time for what is in flight', () => {
    const manifests = helm.template({ ...STANDARD, config: { ...CONFIG, SHUTDOWN_GRACE: 120 } })
    expect(find(manifests, 'Deployment')['spec']).toMatchObject({
      replicas: 2,
      strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
    })
    expect(podOf(manifests).terminationGracePeriodSeconds).toBe(5 + 120 + 10)
    expect(find(manifests, 'PodDisruptionBudget')['spec']).toMatchObject({ maxUnavailable: 1 })
  })

  it.each([
    [{}, 0, 5 + 30 + 10, undefined],
    [{ SHUTDOWN_DELAY: 20, SHUTDOWN_GRACE: 300 }, 0, 20 + 300 + 10, undefined],
    [{ SHUTDOWN_DELAY: 0 }, 15, 15 + 30 + 10, ['sleep', '15']],
  ])('with %j and drainSeconds %i have %i s to end in', (config, drainSeconds, seconds, command) => {
    const pod = podOf(helm.template({ ...STANDARD, config: { ...CONFIG, ...config }, drainSeconds }))
    expect(pod.terminationGracePeriodSeconds).toBe(seconds)
    const lifecycle = pod.containers[0]?.['lifecycle']
    expect(lifecycle).toEqual(command && { preStop: { exec: { command } } })
  })

  it('have no disk of their own', () => {
    expect(helm.template(STANDARD).map(({ kind }) => kind)).not.toContain('PersistentVolumeClaim')
    expect(podOf(helm.template(STANDARD)).volumes.map(({ name }) => name)).toEqual(['tmp', 'secrets'])
  })
})

describe('probes', () => {
  const TLS = {
    TLS_CERT_FILE: '/tls/tls.crt',
    TLS_KEY_FILE: '/tls/tls.key',
    TLS_CLIENT_CA_FILE: '/tls/ca.crt',
  }

  it.each<[Values, string, string]>([
    [{}, 'http', 'HTTP'],
    [TLS, 'http', 'HTTPS'],
    [{ ...TLS, TLS_CLIENT_CERTS: 'request' }, 'http', 'HTTPS'],
    // Kubernetes has no certificate to show.
    [{ ...TLS, TLS_CLIENT_CERTS: 'require' }, 'metrics', 'HTTP'],
  ])('with %j ask at port %s by %s', (config, port, scheme) => {
    const [container] = podOf(helm.template({ ...STANDARD, config: { ...CONFIG, ...config } })).containers
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
      expect(container?.[probe], probe).toMatchObject({ httpGet: { port, scheme } })
    }
  })

  it('need that port then', () => {
    const config = { ...CONFIG, ...TLS, TLS_CLIENT_CERTS: 'require', METRICS_PORT: null }
    expect(() => helm.template({ ...STANDARD, config })).toThrow('Set config.METRICS_PORT')
  })
})

describe('one replica on SQLite', () => {
  it('never has a second pod at its file, and the file outlives the release', () => {
    const manifests = helm.template(SMALL)
    expect(find(manifests, 'Deployment')['spec']).toMatchObject({
      replicas: 1,
      strategy: { type: 'Recreate' },
    })
    expect(find(manifests, 'PersistentVolumeClaim').metadata).toMatchObject({
      annotations: { 'helm.sh/resource-policy': 'keep' },
    })
  })
})

it('the policy file is mounted as a folder, so that a change arrives', () => {
  const manifests = helm.template(EVERYTHING)
  const { volumeMounts = [] } = podOf(manifests).containers[0] ?? {}
  expect(volumeMounts.find(({ name }) => name === 'policy')).toEqual({
    ...{ name: 'policy', mountPath: '/etc/mlflow-auth-gateway/policy', readOnly: true },
  })
  expect(environmentOf(manifests)['POLICY_FILE']).toBe('/etc/mlflow-auth-gateway/policy/policy.yaml')
  expect(find(manifests, 'ConfigMap', 'gw-policy')['data']).toEqual({
    'policy.yaml': 'version: 1\nroles: []\n',
  })
})

it('the ingress has the public host, the autoscaler takes over the replicas, the alerts are the shipped ones', () => {
  const manifests = helm.template(EVERYTHING)
  expect(find(manifests, 'Ingress')['spec']).toMatchObject({
    tls: [{ hosts: ['mlflow.example.org'], secretName: 'tls' }],
    rules: [{ host: 'mlflow.example.org' }],
  })
  expect(find(manifests, 'Deployment')['spec']).not.toHaveProperty('replicas')
  expect(find(manifests, 'PrometheusRule')['spec']).toMatchObject({
    groups: [{ name: 'mlflow-auth-gateway' }],
  })
  const data = find(manifests, 'ConfigMap', 'gw-dashboard')['data'] as Record<string, string>
  expect(JSON.parse(data['mlflow-auth-gateway.json'] ?? '')).toMatchObject({ uid: 'mlflow-auth-gateway' })
})

it('the hosts of further tracking servers are in the ingress, each once', () => {
  const further = {
    ...{
      UPSTREAMS: 'staging,lab',
      UPSTREAM_STAGING_URL: 'http://staging:5000',
      UPSTREAM_LAB_URL: 'http://lab:5000',
    },
    UPSTREAM_STAGING_PUBLIC_URL: 'https://staging.example.org',
    UPSTREAM_LAB_PUBLIC_URL: `${CONFIG.PUBLIC_URL}/lab`,
  }
  const manifests = helm.template({ ...EVERYTHING, config: { ...EVERYTHING.config, ...further } })
  const hosts = ['mlflow.example.org', 'staging.example.org']
  expect(find(manifests, 'Ingress')['spec']).toMatchObject({
    tls: [{ hosts, secretName: 'tls' }],
    rules: hosts.map((host) => ({ host })),
  })
})

it('several providers and lists reach the gateway', () => {
  const env = environmentOf(
    helm.template({
      ...STANDARD,
      config: {
        ...{
          PUBLIC_URL: CONFIG.PUBLIC_URL,
          UPSTREAM_URL: CONFIG.UPSTREAM_URL,
          OIDC_PROVIDERS: ['corp', 'partner'],
        },
        ...{ OIDC_CORP_ISSUER: 'https://corp.example', OIDC_CORP_CLIENT_ID: 'a', WORKSPACES: true },
        ...{ OIDC_PARTNER_ISSUER: 'https://partner.example', OIDC_PARTNER_CLIENT_ID: 'b' },
      },
      secrets: { ...STANDARD.secrets, OIDC_CORP_CLIENT_SECRET: { name: 'corp', key: 'k' } },
    }),
  )
  expect(env).toMatchObject({
    ...{ OIDC_PROVIDERS: 'corp,partner', WORKSPACES: 'true' },
    OIDC_CORP_CLIENT_SECRET_FILE: '/run/secrets/gateway/OIDC_CORP_CLIENT_SECRET',
  })
})

describe('what is refused', () => {
  const config = (changes: Values) => ({ ...STANDARD, config: { ...CONFIG, ...changes } })
  const { networkPolicy: _, ...unpoliced } = STANDARD
  it.each<[string, Values, string]>([
    ['two replicas on SQLite', { ...SMALL, replicas: 2 }, 'More than one replica needs PostgreSQL'],
    [
      'a SQLite URL for two',
      {
        ...config({ DATABASE_URL: 'sqlite:/data/x.db' }),
        secrets: { GATEWAY_SECRET },
        persistence: { enabled: true },
      },
      'More than one replica needs PostgreSQL',
    ],
    [
      'an autoscaler on SQLite',
      { ...SMALL, autoscaling: { enabled: true } },
      'More than one replica needs PostgreSQL',
    ],
    ['SQLite on no disk', { ...SMALL, persistence: { enabled: false } }, 'would be lost with the pod'],
    ['two stores', config({ DATABASE_URL: 'sqlite:/data/x.db' }), 'not both'],
    [
      'the password of a database as a plain value',
      config({ DATABASE_URL: 'postgres://u:p@db/g' }),
      'DATABASE_URL',
    ],
    ['a secret as a plain value', config({ GATEWAY_SECRET: 'x'.repeat(40) }), 'GATEWAY_SECRET'],
    ['the same for a client secret', config({ OIDC_CLIENT_SECRET: 'x' }), 'OIDC_CLIENT_SECRET'],
    ['the same of a named provider', config({ OIDC_CORP_CLIENT_SECRET: 'x' }), 'OIDC_CORP_CLIENT_SECRET'],
    [
      'the same under secrets',
      { ...STANDARD, secrets: { ...STANDARD.secrets, GATEWAY_SECRET: 'x'.repeat(40) } },
      'GATEWAY_SECRET',
    ],
    ['no secret', { ...STANDARD, secrets: { DATABASE_URL } }, 'Set secrets.GATEWAY_SECRET'],
    ['a misspelt variable', config({ SESSION_IDLE_TTI: 60 }), 'SESSION_IDLE_TTI'],
    ['a number out of bounds', config({ PORT: 70_000 }), 'PORT'],
    ['a misspelt value', { ...STANDARD, replica: 2 }, 'replica'],
    ['a network policy for every pod of the namespace', { ...STANDARD, mlflow: {} }, 'Set mlflow.podLabels'],
    ['a database out of reach', unpoliced, 'networkPolicy.database.to'],
    [
      'no public URL',
      { ...STANDARD, config: { UPSTREAM_URL: 'http://mlflow:5000' } },
      'Set config.PUBLIC_URL',
    ],
    ['no image', { ...STANDARD, image: {} }, 'repository'],
    ['an image that may be any', { ...STANDARD, image: { repository: 'r', tag: 'latest' } }, 'tag'],
  ])('%s', (_, values, message) => {
    expect(() => helm.template(values)).toThrow(message)
  })
})

import { type Static, Type } from 'typebox'
import { UPSTREAM_ID } from '../policy/workspace-name.ts'
import { flag, integer, list, type Note, oneOf, optionalText, text } from './note.ts'

const DAY = 86_400

const serving = {
  NODE_ENV: oneOf(['production', 'development', 'test'], {
    section: 'Serving',
    default: 'production',
    description: 'Anything but `production` permits what is meant for tests only.',
  }),
  PUBLIC_URL: text({
    section: 'Serving',
    description:
      'What people and scripts use to reach the gateway, with its path prefix if it has one. Every link, redirect and cookie is made from it; forwarded headers never count.',
    expect: 'an http or https URL without user, query or fragment',
    example: 'https://mlflow.your-company.example',
    placeholder: true,
  }),
  HOST: text({
    section: 'Serving',
    default: '127.0.0.1',
    description: 'Address to listen on. `0.0.0.0` for all IPv4 addresses, `::` for all.',
  }),
  PORT: integer({
    section: 'Serving',
    default: 8080,
    minimum: 0,
    maximum: 65_535,
    description: 'Port to listen on. 0 lets the system choose.',
  }),
  ALLOWED_HOSTS: list({
    section: 'Serving',
    description:
      "Further host names that requests may be sent to, comma-separated, besides PUBLIC_URL's own. A name without a port allows every port.",
    example: 'mlflow.internal,10.0.0.5:8080',
  }),
  SHUTDOWN_GRACE: integer({
    section: 'Serving',
    default: 30,
    minimum: 0,
    maximum: 3_600,
    description: 'Seconds that requests in flight may take to finish after SIGTERM or SIGINT.',
  }),
  SHUTDOWN_DELAY: integer({
    section: 'Serving',
    default: 0,
    minimum: 0,
    maximum: 600,
    description:
      'Seconds between SIGTERM, when `/readyz` turns 503, and the end of new connections: as long as a load balancer takes to notice. 5 in Kubernetes.',
  }),
  ALLOW_HTTP_PUBLIC_URL: flag({
    section: 'Serving',
    default: false,
    description:
      'Permits an `http:` PUBLIC_URL on a host other than loopback. Cookies and tokens then cross the network readable.',
  }),
}

const https = {
  TLS_CERT_FILE: optionalText({
    section: 'HTTPS',
    description:
      'PEM file with the certificate to serve https with, then its chain. Left out: plain http, for a proxy on the same machine that holds the certificate. A renewed file is served within 10 seconds.',
    example: '/etc/mlflow-auth-gateway/tls.crt',
  }),
  TLS_KEY_FILE: optionalText({
    section: 'HTTPS',
    description: 'PEM file with its private key, not encrypted.',
    example: '/etc/mlflow-auth-gateway/tls.key',
  }),
  TLS_CLIENT_CERTS: oneOf(['off', 'request', 'require'], {
    section: 'HTTPS',
    default: 'off',
    description:
      'Certificates of clients. `require`: no connection without one; `request`: none with a wrong one. They open the connection only: who somebody is, is never taken from them.',
  }),
  TLS_CLIENT_CA_FILE: optionalText({
    section: 'HTTPS',
    description: 'PEM file with the authorities that certificates of clients must be from.',
    example: '/etc/mlflow-auth-gateway/clients-ca.crt',
  }),
  HTTP_REDIRECT_PORT: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 65_535,
      section: 'HTTPS',
      description:
        'Plain-http port, on HOST, that only redirects browsers to PUBLIC_URL. Requests with a body or a credential are refused there.',
      example: '8081',
    } satisfies Note & { minimum: number; maximum: number }),
  ),
}

const network = {
  TRUSTED_PROXIES: list({
    section: 'Proxies and networks',
    description:
      'Proxies whose word counts for the address of a client (in audit lines, rate limits and ALLOWED_NETWORKS, and for nothing else): addresses, networks, `loopback`. List proxies only, never a network that people are in.',
    example: 'loopback,10.0.0.5,fd00:1::/64',
  }),
  CLIENT_ADDRESS_HEADER: oneOf(['X-Forwarded-For', 'Forwarded'], {
    section: 'Proxies and networks',
    default: 'X-Forwarded-For',
    description:
      'The header that these proxies append the address to. Any other may have been sent by the client.',
  }),
  PROXY_PROTOCOL: flag({
    section: 'Proxies and networks',
    default: false,
    description:
      'Connections of TRUSTED_PROXIES begin with the header of the PROXY protocol, version 1 or 2; those without are closed.',
  }),
  ALLOWED_NETWORKS: list({
    section: 'Proxies and networks',
    description:
      'Networks that requests may come from, written like TRUSTED_PROXIES. All others get 403, save for the bare state at /healthz and /readyz. Unset: any.',
    example: '10.0.0.0/8,192.168.7.0/24',
  }),
}

const upstream = {
  UPSTREAM_URL: text({
    section: 'Tracking server',
    description: 'The MLflow tracking server. Only the gateway should be able to reach it.',
    expect: 'an http or https URL without user, query or fragment',
    example: 'http://127.0.0.1:5000',
  }),
  UPSTREAM_HOST: optionalText({
    section: 'Tracking server',
    description:
      'Host header that the tracking server sees. Unset: `localhost` for an http UPSTREAM_URL, which the host check of ' +
      "MLflow accepts by default; the URL's own for https.",
    expect: 'a host name, with its port if it needs one',
    example: 'mlflow.internal:5000',
  }),
  UPSTREAM_ARTIFACTS_URL: optionalText({
    section: 'Tracking server',
    description:
      'Where artifacts are served, if not by the tracking server itself (mlflow server --artifacts-only): uploads and downloads go there, and whose they are is still asked at UPSTREAM_URL.',
    expect: 'an http or https URL without user, query or fragment',
    example: 'http://127.0.0.1:5500',
  }),
  UPSTREAM_CA_FILE: optionalText({
    section: 'Tracking server',
    description:
      "PEM file with the authorities, and no others, that the tracking server's certificate may be from. Unset: those that Node ships. A renewed file counts within ten seconds, as of the next two.",
    example: '/etc/mlflow-auth-gateway/internal-ca.crt',
  }),
  UPSTREAM_CERT_FILE: optionalText({
    section: 'Tracking server',
    description:
      'PEM file with the certificate that the gateway shows to the tracking server. Read at start.',
    example: '/etc/mlflow-auth-gateway/upstream.crt',
  }),
  UPSTREAM_KEY_FILE: optionalText({
    section: 'Tracking server',
    description: 'PEM file with its private key, not encrypted.',
    example: '/etc/mlflow-auth-gateway/upstream.key',
  }),
  UPSTREAMS: Type.Array(Type.String({ pattern: `^${UPSTREAM_ID}$` }), {
    default: [],
    uniqueItems: true,
    section: 'Tracking server',
    description:
      'Ids of further tracking servers behind this gateway, comma-separated, lower-case, such as `staging`. Each has its own variables with its id in the name, `UPSTREAM_STAGING_URL` and `UPSTREAM_STAGING_PUBLIC_URL` at least; rights on it are given in its workspaces, `staging/default`.',
    expect: 'lower-case ids of letters and digits, comma-separated, each once',
    example: 'staging',
  } satisfies Note & { default: string[]; uniqueItems: boolean }),
  UPSTREAM_TIMEOUT: integer({
    section: 'Tracking server',
    default: 120,
    minimum: 1,
    maximum: 86_400,
    description:
      'Seconds the tracking server may stay silent, or a client stand still in a transfer. A transfer as a whole has no limit.',
  }),
  UI_BADGE: flag({
    section: 'Tracking server',
    default: true,
    description:
      "Shows in MLflow's own pages who is signed in, with links to their access, tokens and sign-out, and where to ask for what was refused.",
  }),
  JSON_BODY_LIMIT: integer({
    section: 'Tracking server',
    default: 10_485_760,
    minimum: 1_024,
    maximum: 1_073_741_824,
    description: 'Largest JSON request in bytes. Artifacts are streamed and not limited.',
  }),
  TRUSTED_AUTHORSHIP: flag({
    section: 'Tracking server',
    default: true,
    description: 'Sets the author of a new run to the caller, whatever the client says.',
  }),
  WORKSPACES: flag({
    section: 'Tracking server',
    default: false,
    description:
      'The tracking server keeps workspaces apart (mlflow server --enable-workspaces): requests go to the one they name, for those who hold a role in it.',
  }),
  ALLOW_SCRIPTS_IN_ARTIFACT_PREVIEWS: flag({
    section: 'Tracking server',
    default: false,
    description:
      "Lets HTML files run their scripts when they are looked at in MLflow's page (Plotly figures), in a frame that reaches nothing of it. The page's own protection against scripts in names and descriptions is then weaker.",
    danger: "the policy of MLflow's page lets inline scripts run",
  }),
  WEBHOOK_ALLOWED_HOSTS: list({
    section: 'Tracking server',
    description:
      'Hosts that webhooks may call, comma-separated; by https only, and no others. Unset: any but those of private networks. A name without a port allows every port.',
    example: 'hooks.example.com,ci.internal:8443',
  }),
  ALLOW_PRESIGNED_URLS_THAT_OUTLIVE_REVOCATION: flag({
    section: 'Tracking server',
    default: false,
    description:
      'Lets MLflow hand out presigned artifact URLs. They work without the gateway until they expire, also for someone whose access has ended.',
    danger: 'presigned artifact URLs keep working after access has been revoked',
  }),
}

const keeping = {
  DATABASE_URL: text({
    section: 'Store and secrets',
    default: 'sqlite:./gateway.db',
    pattern: '^(?:sqlite:|postgres(?:ql)?://).+$',
    expect:
      'sqlite: and the path of a file, or postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full',
    description:
      'Where people, roles, sessions and audit events are kept: `sqlite:PATH` for a single gateway, ' +
      '`postgres://USER:PASSWORD@HOST:5432/DATABASE` for any number of them. `sslmode` is verify-full unless the URL says ' +
      'verify-ca, require or disable, or PostgreSQL is on this machine.',
    secret: true,
  }),
  DATABASE_CA_FILE: optionalText({
    section: 'Store and secrets',
    description:
      "PEM file with the authorities that PostgreSQL's certificate may come from, instead of the machine's own. Read at start.",
    expect: 'the path of a readable file',
  }),
  DATABASE_POOL_SIZE: integer({
    section: 'Store and secrets',
    default: 10,
    minimum: 1,
    maximum: 200,
    description:
      'Most connections to PostgreSQL for requests. Each gateway opens up to three more: two write audit events, one listens for changes.',
  }),
  DATABASE_CONNECT_TIMEOUT: integer({
    section: 'Store and secrets',
    default: 5,
    minimum: 1,
    maximum: 60,
    description: 'Seconds that a connection to PostgreSQL may take, also to become free.',
  }),
  DATABASE_STATEMENT_TIMEOUT: integer({
    section: 'Store and secrets',
    default: 10,
    minimum: 1,
    maximum: 600,
    description: 'Seconds that PostgreSQL may take for one statement.',
  }),
  ALLOW_PLAINTEXT_DATABASE: flag({
    section: 'Store and secrets',
    default: false,
    description:
      'Permits `sslmode=disable` to a PostgreSQL, and `redis://` to a Redis, on another machine. Its password and all the gateway keeps then cross the network readable.',
    danger: 'the password of the database and everything kept in it may cross the network readable',
  }),
  STORE_OUTAGE_GRACE: integer({
    section: 'Store and secrets',
    default: 5,
    minimum: 1,
    maximum: 300,
    description:
      'Seconds that what is in memory still counts while the store cannot be read: then requests are refused (503) and /readyz says so. What is revoked elsewhere meanwhile counts for that long.',
  }),
  REDIS_URL: optionalText({
    section: 'Store and secrets',
    pattern: '^rediss?://.+$',
    expect: 'rediss://:PASSWORD@HOST:6379, or redis:// without TLS',
    description:
      'Keeps browser sessions in Redis 6.2 or later, and counts sign-ins and refused credentials there for all replicas. Left out: sessions are in the database, and each replica counts by itself.',
    example: 'rediss://:password@redis.internal:6379',
    secret: true,
  }),
  REDIS_CA_FILE: optionalText({
    section: 'Store and secrets',
    description:
      "PEM file with the authorities that Redis' certificate may come from, instead of the machine's own. Read at start.",
    expect: 'the path of a readable file',
  }),
  GATEWAY_SECRET: text({
    section: 'Store and secrets',
    description:
      'Key material for all the gateway seals and signs: at least 32 random characters. A store opens only with the secret it was made with; docs/hardening.md says how to change it.',
    expect: 'at least 32 random characters, made by: openssl rand -base64 48',
    example: 'change-me-to-the-output-of-openssl-rand-base64-48',
    secret: true,
    placeholder: true,
  }),
}

const signIn = {
  OIDC_PROVIDERS: Type.Array(Type.String({ pattern: '^[a-z][a-z0-9]{0,31}$' }), {
    default: [],
    uniqueItems: true,
    section: 'Sign-in with an OpenID Provider',
    description:
      'Ids of several providers, comma-separated, lower-case. Each then has its own variables with its id in the name: `OIDC_CORP_ISSUER` for `corp`. Leave it out for a single provider.',
    expect: 'different ids of lower-case letters and digits, comma-separated',
    example: 'corp,partner',
  } satisfies Note & { default: string[]; uniqueItems: boolean }),
  ALLOW_HTTP_ISSUER: flag({
    section: 'Sign-in with an OpenID Provider',
    default: false,
    description:
      'Permits `http:` issuers. Whoever sits between the gateway and such a provider can sign in as anybody.',
  }),
}

const permissions = {
  ADMIN_USERS: list({
    section: 'People and permissions',
    description:
      'User names of administrators, comma-separated: `name`, or `provider:name`, which is required when several providers are configured.',
    example: 'alice,bob',
  }),
  ADMIN_GROUPS: list({
    section: 'People and permissions',
    description: 'Groups whose members are administrators, written like ADMIN_USERS.',
    example: 'mlflow-admins',
  }),
  DEFAULT_PERMISSION: oneOf(['NO_PERMISSIONS', 'READ', 'USE', 'EDIT'], {
    section: 'People and permissions',
    default: 'NO_PERMISSIONS',
    description: 'What everyone who can sign in may do with a resource that no grant of theirs covers.',
  }),
  POLICY_FILE: optionalText({
    section: 'People and permissions',
    description: 'YAML file with roles and group mappings, applied at start.',
    example: './policy.yaml',
  }),
  POLICY_WATCH: flag({
    section: 'People and permissions',
    default: true,
    description:
      'Applies POLICY_FILE again whenever it changes. A file that is faulty or gone changes nothing; the log, `/readyz` and `gateway_policy_file_ok` say so.',
  }),
}

const sessions = {
  SESSION_IDLE_TTL: integer({
    section: 'Sessions and tokens',
    default: 28_800,
    minimum: 1,
    maximum: 30 * DAY,
    description: 'Seconds without a request after which a browser session ends.',
  }),
  SESSION_ABSOLUTE_TTL: integer({
    section: 'Sessions and tokens',
    default: DAY,
    minimum: 1,
    maximum: 30 * DAY,
    description: 'Seconds after sign-in when a browser session ends in any case.',
  }),
  SESSION_TOKEN_TTL: integer({
    section: 'Sessions and tokens',
    default: 300,
    minimum: 1,
    maximum: 3_600,
    description:
      'Seconds between two renewals of a session. At each one, the groups are read again where the provider permits it.',
  }),
  ACCESS_TOKEN_MAX_TTL: integer({
    section: 'Sessions and tokens',
    default: 90 * DAY,
    minimum: 60,
    maximum: 366 * DAY,
    description: 'Longest lifetime in seconds of an access token for scripts.',
  }),
}

const RATE_MAX = 1_000_000

const limits = {
  RATE_LIMIT_PRINCIPAL: integer({
    section: 'Limits',
    default: 500,
    minimum: 0,
    maximum: RATE_MAX,
    description:
      'Requests a second that one person or service account may go on sending, ten times as many at once after a rest. 0: no limit. More get 429 with `Retry-After`, which the MLflow client follows.',
  }),
  CONCURRENCY_LIMIT_PRINCIPAL: integer({
    section: 'Limits',
    default: 100,
    minimum: 0,
    maximum: RATE_MAX,
    description:
      'Requests of one person or service account that may be under way at MLflow at once, transfers included, so that one script leaves room for the others. 0: no limit.',
  }),
  RATE_LIMIT_ADDRESS: integer({
    section: 'Limits',
    default: 1_000,
    minimum: 0,
    maximum: RATE_MAX,
    description:
      "Requests a second from one address (of IPv6: one /64) for what is open to everybody, such as the files of MLflow's pages; ten times as many at once after a rest. 0: no limit.",
  }),
  RATE_LIMIT_SIGN_IN: integer({
    section: 'Limits',
    default: 120,
    minimum: 0,
    maximum: RATE_MAX,
    description:
      'Sign-ins a minute from one address, and as many credentials that are refused; those known to be good go on. 0: no limit.',
  }),
}

const records = {
  AUDIT_STDOUT: flag({
    section: 'Audit, logs and metrics',
    default: true,
    description: 'Writes one JSON line per decision to standard output.',
  }),
  AUDIT_FILE: optionalText({
    section: 'Audit, logs and metrics',
    description: 'Also writes audit lines to this file, which is rotated.',
    example: '/var/log/mlflow-auth-gateway/audit.log',
  }),
  AUDIT_FILE_MAX_MB: integer({
    section: 'Audit, logs and metrics',
    default: 100,
    minimum: 1,
    maximum: 10_240,
    description: 'Size in MB at which the audit file is rotated.',
  }),
  AUDIT_FILE_COUNT: integer({
    section: 'Audit, logs and metrics',
    default: 10,
    minimum: 1,
    maximum: 1_000,
    description: 'Rotated audit files to keep beside the current one.',
  }),
  AUDIT_STORE_DAYS: integer({
    section: 'Audit, logs and metrics',
    default: 90,
    minimum: 0,
    maximum: 3_650,
    description: 'Days that audit events are kept in the store. 0 keeps none there.',
  }),
  AUDIT_STORE_MAX_EVENTS: integer({
    section: 'Audit, logs and metrics',
    default: 10_000_000,
    minimum: 0,
    maximum: 1_000_000_000,
    description:
      'Most audit events to keep in the store, whatever their age; the oldest go first. A million takes about 1 GB. 0: no limit.',
  }),
  LOG_LEVEL: oneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace'], {
    section: 'Audit, logs and metrics',
    default: 'info',
    description: 'Least severe log line to write. Audit lines do not depend on it.',
  }),
  METRICS_PORT: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 65_535,
      section: 'Audit, logs and metrics',
      description:
        'Port that serves Prometheus metrics at `/metrics`, on HOST, and `/healthz` and `/readyz` by plain http for probes that have no certificate. Left out: none are served.',
      example: '9464',
    } satisfies Note & { minimum: number; maximum: number }),
  ),
}

const traces = {
  OTEL_EXPORTER_OTLP_ENDPOINT: optionalText({
    section: 'Traces',
    description:
      'Where traces of the gateway itself go: a collector that takes OTLP by HTTP; `/v1/traces` is added. Left out, with the next one: there are none, and what makes them is not loaded.',
    expect: 'an http or https URL without user, query or fragment',
    example: 'http://otel-collector:4318',
  }),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: optionalText({
    section: 'Traces',
    description: 'The same as a whole URL, and before the other.',
    expect: 'an http or https URL without user, query or fragment',
    example: 'https://traces.example.com/otlp/v1/traces',
  }),
  OTEL_EXPORTER_OTLP_PROTOCOL: oneOf(['http/protobuf'], {
    section: 'Traces',
    default: 'http/protobuf',
    description: 'There is no other; port 4317 of a collector is usually gRPC, 4318 is this.',
  }),
  OTEL_EXPORTER_OTLP_HEADERS: optionalText({
    section: 'Traces',
    description: 'Headers for the collector: `key=value,key=value`, values percent-encoded.',
    example: 'authorization=Bearer%20TOKEN',
    secret: true,
  }),
  OTEL_SERVICE_NAME: text({
    section: 'Traces',
    default: 'mlflow-auth-gateway',
    description: 'What traces call the gateway.',
  }),
  OTEL_RESOURCE_ATTRIBUTES: optionalText({
    section: 'Traces',
    description: 'What else to say of it: `key=value,key=value`.',
    example: 'deployment.environment.name=production',
  }),
  OTEL_TRACES_SAMPLER: oneOf(
    [
      'always_on',
      'always_off',
      'traceidratio',
      'parentbased_always_on',
      'parentbased_always_off',
      'parentbased_traceidratio',
    ],
    {
      section: 'Traces',
      default: 'parentbased_always_on',
      description: 'Which requests are traced; the last four go on with what a trusted proxy has decided.',
    },
  ),
  OTEL_TRACES_SAMPLER_ARG: optionalText({
    section: 'Traces',
    pattern: '^(?:0|1|0?\\.\\d{1,9}|1\\.0{1,9})$',
    expect: 'a number from 0 to 1',
    description: 'For the samplers by ratio: the share of requests. Unset: all.',
    example: '0.05',
  }),
  TRACE_CONTEXT_FROM_PROXIES: flag({
    section: 'Traces',
    default: false,
    description:
      '`traceparent` of requests from TRUSTED_PROXIES is gone on with. Only if they begin traces themselves and drop what clients send: else any client decides what is traced. Off: a trace of our own, with a link to theirs.',
  }),
}

/** Every variable but those of the providers. */
export const GatewaySchema = Type.Object({
  ...serving,
  ...https,
  ...network,
  ...upstream,
  ...keeping,
  ...signIn,
  ...permissions,
  ...sessions,
  ...limits,
  ...records,
  ...traces,
})

export type GatewayVariables = Readonly<Static<typeof GatewaySchema>>

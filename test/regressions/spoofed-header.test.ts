/**
 * The attack: headers that say who calls, from where, which way, or what is really asked for. Only the request line is
 * judged (field report 75: `X-Forwarded-Uri` opened any path), no User-Agent opens a door (77), the address is the
 * socket's and URLs come from the configuration (84), and what reaches MLflow has nothing of it, nor a credential or
 * cookie (62). MLflow itself would believe `X-Forwarded-For: 127.0.0.1`, `X-MLflow-*` and `Authorization: Basic`.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RUN_A } from '../support/mlflow-stand-in.ts'
import type { Ask } from '../support/spoken-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import { headerValues, type RecordedRequest } from '../support/upstream.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

const SPOOFED = [
  'X-Forwarded-Uri: /healthz',
  'X-Original-URL: /healthz',
  'X-Original-URI: /healthz',
  'X-Rewrite-URL: /healthz',
  'X-Forwarded-Prefix: /healthz',
  'X-Forwarded-Path: /static-files/x',
  'X-Forwarded-Method: GET',
  'X-HTTP-Method-Override: GET',
  'X-HTTP-Method: GET',
  'X-Method-Override: GET',
  'X-Forwarded-For: 127.0.0.1',
  'X-Forwarded-For: 10.0.0.1, 127.0.0.1',
  'X-Real-IP: 127.0.0.1',
  'X-Client-IP: 127.0.0.1',
  'X-Cluster-Client-IP: 127.0.0.1',
  'True-Client-IP: 127.0.0.1',
  'CF-Connecting-IP: 127.0.0.1',
  'Forwarded: for=127.0.0.1;host=evil.example;proto=https',
  'X-Forwarded-Proto: https',
  'X-Forwarded-Host: evil.example',
  'X-Forwarded-Port: 443',
  'X-Forwarded-Server: evil.example',
  'X-Forwarded-Ssl: on',
  'X-Forwarded-User: admin',
  'X-Forwarded-Email: admin@example.org',
  'X-Forwarded-Groups: admins',
  'X-Forwarded-Preferred-Username: admin',
  'X-Forwarded-Access-Token: x.y.z',
  'X_Forwarded_User: admin',
  'X_Forwarded_For: 127.0.0.1',
  'HTTP_X_FORWARDED_USER: admin',
  'Remote-User: admin',
  'Remote_User: admin',
  'REMOTE-USER: admin',
  'X-Remote-User: admin',
  'X-Remote-Group: admins',
  'X-Auth-Request-User: admin',
  'X-Auth-Username: admin',
  'X-User: admin',
  'X-Email: admin@example.org',
  'X-WEBAUTH-USER: admin',
  'X-Goog-Authenticated-User-Email: accounts.google.com:admin@example.org',
  'X-Goog-IAP-JWT-Assertion: x.y.z',
  'X-Amzn-Oidc-Identity: admin',
  'X-Amzn-Oidc-Data: x.y.z',
  'Cf-Access-Jwt-Assertion: x.y.z',
  'X-SSL-Client-Verify: SUCCESS',
  'X-SSL-Client-S-DN: CN=admin',
  'X-MLflow-Authorization: Basic YWRtaW46cGFzc3dvcmQ=',
  'X-MLflow-Guardrail-Bypass: 1',
  'X-MLflow-Gateway-Caller: admin',
  // Anything but a blank is refused, see workspace-of-another.
  'X-MLFLOW-WORKSPACE: ',
  `X-MLflow-Run-Id: ${RUN_A}`,
  'X-MLflow-Experiment-Id: 2',
  'Proxy-Authorization: Basic YWRtaW46cGFzc3dvcmQ=',
  'X-API-Key: sk-secret',
  'Api-Key: sk-secret',
  'Cookie: session=foreign; gateway_theme=dark',
  'Origin: https://evil.example',
  'Referer: https://evil.example/',
  'Sec-Fetch-Site: same-origin',
  'X-Request-ID: chosen-by-the-caller',
  'X-Correlation-ID: chosen-by-the-caller',
  'TE: trailers',
  'Trailer: X-Forwarded-User',
  'Keep-Alive: timeout=1000',
  'Proxy-Connection: keep-alive',
  'Upgrade: h2c',
  'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
  'Max-Forwards: 0',
  'Via: 1.1 evil',
  'Accept-Encoding: gzip',
  'Content-Location: /x',
  'Warning: 199 - x',
  'Authentication: admin',
  'X-Accel-Redirect: /x',
  'X-Sendfile: /etc/passwd',
  'X-Envoy-Original-Path: /healthz',
  'X-Custom-IP-Authorization: 127.0.0.1',
  'X-Original-Host: evil.example',
  'X-Host: evil.example',
] as const

const PROBES = [
  'kube-probe/1.31',
  'ELB-HealthChecker/2.0',
  'GoogleHC/1.0',
  'Consul Health Check',
  'healthcheck',
]
const SEARCH = '/api/2.0/mlflow/experiments/search?max_results=1'

/** What the gateway may say to MLflow; the names of every header it sent must be among these. */
const SENT =
  /^(?:host|connection|content-length|content-type|transfer-encoding|x-forwarded-for|accept|user-agent)$/

function namesOf({ rawHeaders }: RecordedRequest): string[] {
  return rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase())
}

describe('field reports 75 and 77: nobody gets in by a header', () => {
  it.each([...SPOOFED, ...PROBES.map((agent) => `User-Agent: ${agent}`)])('%s', async (header) => {
    for (const target of [SEARCH, '/', '/version', '/ajax-api/2.0/mlflow/users/current']) {
      const { status, code, reached } = await gateway.ask({ target, headers: [header] })
      expect([target, status, code, reached]).toEqual([target, 401, 'UNAUTHENTICATED', []])
    }
  })

  it('nor by all of them at once, nor any further than before', async () => {
    const target = '/api/2.0/mlflow/experiments/get?experiment_id=2'
    const stranger = await gateway.ask({ target, headers: SPOOFED })
    expect([stranger.status, stranger.reached]).toEqual([401, []])
    const outsider = await gateway.ask({ target, headers: SPOOFED, as: 'outsider' })
    expect([outsider.line, outsider.reached]).toEqual(['403 PERMISSION_DENIED no_grant', []])
  })

  it.each(SPOOFED.filter((header) => /Method/.test(header)))(
    'a method is the one of the request line: %s',
    async (header) => {
      const ask = { target: '/api/2.0/mlflow/runs/delete', headers: [header], json: { run_id: RUN_A } }
      const { line, event } = await gateway.ask({ ...ask, method: 'POST', as: 'editor' })
      expect([line, event?.method]).toEqual(['403 PERMISSION_DENIED level_too_low', 'POST'])
    },
  )
})

describe('field report 62: what reaches MLflow', () => {
  const asks: readonly [string, Ask][] = [
    ['a read', { target: '/api/2.0/mlflow/experiments/get?experiment_id=1' }],
    [
      'a write',
      { method: 'POST', target: '/api/2.0/mlflow/runs/set-tag', json: { run_id: RUN_A, key: 'k' } },
    ],
    ['a list', { target: SEARCH }],
    [
      'a creation',
      { method: 'POST', target: '/api/2.0/mlflow/experiments/create', json: { name: 'alpha/x' } },
    ],
    [
      'a query',
      {
        method: 'POST',
        target: '/graphql',
        json: { query: '{mlflowGetExperiment(input:{experimentId:"1"}){experiment{name}}}' },
      },
    ],
    ['a file', { target: `/get-artifact?run_uuid=${RUN_A}&path=x` }],
    [
      'an upload',
      { method: 'PUT', target: `/api/2.0/mlflow-artifacts/artifacts/1/${RUN_A}/artifacts/x`, body: 'x' },
    ],
    [
      'an upload by parts',
      { method: 'POST', target: `/ajax-api/2.0/mlflow/upload-artifact?run_uuid=${RUN_A}&path=x`, body: 'x' },
    ],
    ['the page', { target: '/' }],
    ['a static file', { target: '/static-files/main.js' }],
    [
      'a call of a model',
      { method: 'POST', target: '/gateway/openai/v1/responses', json: { model: 'alpha-endpoint' } },
    ],
    [
      "an admin's call of a provider",
      { method: 'POST', target: '/gateway/proxy/alpha-endpoint/responses', body: '{}', as: 'admin' },
    ],
  ]

  it.each(asks)('%s: none of it, no credential, no cookie', async (_, ask) => {
    gateway.upstream.forget()
    const { editor } = gateway.members
    // `Origin` would be refused with the cookie; alone it is one more header that stays here.
    const headers = [
      ...SPOOFED,
      'User-Agent: test',
      `Cookie: ${editor.cookie}`,
      'Connection: X-Forwarded-For, keep-alive',
    ]
    const { status, forwarded } = await gateway.ask({ as: 'editor', ...ask, headers })
    expect([status, forwarded.length]).toEqual([200, 1])
    for (const request of gateway.upstream.requests) {
      expect(namesOf(request).filter((name) => !SENT.test(name))).toEqual([])
      const said = request.rawHeaders.join('\n')
      expect(said).not.toContain(gateway.members.editor.token)
      expect(said).not.toMatch(/evil|admin|foreign|10\.0\.0\.1|other|chosen/)
    }
    const [request] = forwarded
    if (request === undefined) throw new Error('nothing was forwarded')
    // The page is asked for by the gateway itself, which puts its script in.
    expect(headerValues(request, 'x-forwarded-for')).toEqual(request.url === '/' ? [] : ['127.0.0.1'])
    expect(headerValues(request, 'host')).toEqual(['localhost'])
  })

  it('a cookie as a credential, and what it is worth, stays here too', async () => {
    const headers = [`Cookie: theme=dark; ${gateway.members.editor.cookie}`]
    const { line, forwarded } = await gateway.ask({
      target: '/api/2.0/mlflow/experiments/get?experiment_id=1',
      headers,
    })
    expect(line).toBe('200 allow')
    expect(
      forwarded.flatMap((request) => [
        ...headerValues(request, 'cookie'),
        ...headerValues(request, 'authorization'),
      ]),
    ).toEqual([])
  })

  it('keeps what a client may say of the answer it wants', async () => {
    const headers = ['Accept: text/html', 'Range: bytes=0-9', 'If-None-Match: "x"', 'User-Agent: test']
    const target = `/get-artifact?run_uuid=${RUN_A}&path=x`
    const { forwarded } = await gateway.ask({ target, headers, as: 'reader' })
    const said = headers
      .map((line) => line.split(': ')[0] ?? '')
      .map((name) => forwarded.flatMap((request) => headerValues(request, name)))
    expect(said).toEqual([['text/html'], ['bytes=0-9'], ['"x"'], ['test']])
  })
})

describe('field report 84: what is on record and in the answer', () => {
  it("has the socket's address and an id of its own", async () => {
    const { event, headers } = await gateway.ask({ target: SEARCH, headers: SPOOFED, as: 'reader' })
    expect(event?.remoteAddress).toBe('127.0.0.1')
    expect(event?.requestId).not.toContain('chosen')
    expect(headers['x-request-id']).toEqual([event?.requestId])
    expect(JSON.stringify(event)).not.toMatch(/evil|10\.0\.0\.1/)
  })

  it.each(['/', '/auth/login', '/auth/logout', '/auth/callback/oidc?code=x&state=y'])(
    'has no host or protocol of theirs: %s',
    async (target) => {
      const { text, rawHeaders } = await gateway.ask({
        ...{
          target,
          headers: [...SPOOFED, 'Accept: text/html', 'Sec-Fetch-Mode: navigate', 'Sec-Fetch-Dest: document'],
        },
      })
      expect(`${text}${JSON.stringify(rawHeaders)}`).not.toMatch(/evil\.example|https:\/\/127|Secure/)
    },
  )
})

describe('field report 17: the assistant, which trusts whom it takes to be near', () => {
  const rows = [
    ['PUT', '/ajax-api/3.0/mlflow/assistant/config'],
    ['POST', '/ajax-api/3.0/mlflow/assistant/message'],
    ['POST', '/ajax-api/3.0/mlflow/assistant/skills/install'],
    ['GET', '/ajax-api/3.0/mlflow/assistant/sessions/x/stream'],
    ['POST', '/ajax-api/3.0/mlflow/assistant/sessions/x/permission'],
    ['POST', '/ajax-api/3.0/mlflow/assistant/sessions/x/tool-result'],
    ['PATCH', '/ajax-api/3.0/mlflow/assistant/sessions/x'],
    ['GET', '/ajax-api/3.0/mlflow/assistant/providers/x/health'],
    ['GET', '/ajax-api/3.0/mlflow/assistant/providers/x/models'],
  ] as const

  it.each(rows)("%s %s is nobody's", async (method, target) => {
    const headers = ['X-Forwarded-For: 127.0.0.1', 'Forwarded: for=127.0.0.1', 'X-Real-IP: 127.0.0.1']
    const body = method === 'GET' ? {} : { json: {} }
    for (const [as, reason] of [
      ['editor', 'admin_only'],
      ['outsider', 'admin_only'],
      ['admin', 'switched_off'],
    ] as const) {
      for (const more of [[], headers]) {
        const { line, reached } = await gateway.ask({ method, target, as, headers: more, ...body })
        expect([as, line, reached]).toEqual([as, `403 PERMISSION_DENIED ${reason}`, []])
      }
    }
  })

  it.each(['config', 'providers'])('GET %s is answered here: there is none', async (what) => {
    const { line, text, reached } = await gateway.ask({
      ...{
        target: `/ajax-api/3.0/mlflow/assistant/${what}`,
        as: 'outsider',
        headers: ['X-Forwarded-For: 127.0.0.1'],
      },
    })
    expect([line, reached]).toEqual(['200 allow', []])
    expect(JSON.parse(text).providers).toEqual(what === 'config' ? {} : [])
  })
})

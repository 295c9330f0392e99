import { describe, expect, it } from 'vitest'
import { type RefusalContext, renderRefusal } from '../../src/console/refusal.ts'
import { type ErrorCode, GatewayError } from '../../src/errors.ts'

const NAVIGATION = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }

const CONTEXT: RefusalContext = {
  requestId: '01HZX3J8Q0G5T7W9Y1A2B3C4D5',
  method: 'GET',
  url: '/api/2.0/mlflow/experiments/get?experiment_id=2',
  headers: { accept: '*/*' },
  publicUrl: new URL('https://mlflow.example.org'),
}

function refuse(code: ErrorCode, message: string, context: Partial<RefusalContext> = {}) {
  return renderRefusal(
    new GatewayError(code, message, { cause: new Error('http://10.0.0.7:5000 said no') }),
    {
      ...CONTEXT,
      ...context,
    },
  )
}

describe('for programs', () => {
  it('is MLflow’s error body with the request id in the sentence and in a header', () => {
    const { status, headers, body } = refuse('ERR_PERMISSION_DENIED', 'EDIT on experiment 2 is missing.')
    expect(status).toBe(403)
    expect(JSON.parse(body)).toEqual({
      error_code: 'PERMISSION_DENIED',
      message: 'EDIT on experiment 2 is missing (request id 01HZX3J8Q0G5T7W9Y1A2B3C4D5)',
    })
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-request-id': '01HZX3J8Q0G5T7W9Y1A2B3C4D5',
      'content-length': String(Buffer.byteLength(body)),
    })
  })

  it.each([
    ['ERR_NO_CREDENTIAL', 'Sign in', 401, 'Bearer realm="mlflow"'],
    [
      'ERR_INVALID_TOKEN',
      'no "such" \\ tökén\r\nX: y',
      401,
      'Bearer realm="mlflow", error="invalid_token", error_description="no ?such? ? t?k?n??X: y"',
    ],
    [
      'ERR_EXPIRED_TOKEN',
      'token expired at 2026-11-25T00:00:00Z',
      401,
      'Bearer realm="mlflow", error="invalid_token", error_description="token expired at 2026-11-25T00:00:00Z"',
    ],
    [
      'ERR_INSUFFICIENT_SCOPE',
      'This token may only read',
      403,
      'Bearer realm="mlflow", error="insufficient_scope", error_description="This token may only read"',
    ],
    ['ERR_PERMISSION_DENIED', 'READ is missing', 403, undefined],
    ['ERR_AMBIGUOUS_REQUEST', 'run_id is given twice', 400, undefined],
    ['ERR_STORE_UNAVAILABLE', 'Try again', 503, undefined],
  ] as const)('%s challenges as RFC 6750 §3 says', (code, message, status, challenge) => {
    const response = refuse(code, message)
    expect([response.status, response.headers['www-authenticate']]).toEqual([status, challenge])
  })

  it('says nothing of the cause', () => {
    const { headers, body } = refuse('ERR_UPSTREAM_UNREACHABLE', 'MLflow does not answer')
    expect(JSON.stringify(headers) + body).not.toContain('10.0.0.7')
  })

  it('tells 429 when to come back', () => {
    expect(refuse('ERR_TOO_MANY_REQUESTS', 'Slow down').headers['retry-after']).toBe('1')
  })
})

describe('for people', () => {
  it.each([
    ['ERR_NO_CREDENTIAL', '/', '/', ''],
    ['ERR_INVALID_TOKEN', '/?x=1&y=ä', '/?x=1&y=ä', ''],
    ['ERR_EXPIRED_TOKEN', '/auth/tokens', '/ml/auth/tokens', '/ml'],
    ['ERR_NO_CREDENTIAL', '//evil.example/x', '/', ''],
    ['ERR_NO_CREDENTIAL', '/\\evil.example', '/', ''],
    ['ERR_NO_CREDENTIAL', 'http://evil.example/', '/', ''],
    ['ERR_NO_CREDENTIAL', `/${'x'.repeat(10_000)}`, '/', ''],
  ] as const)('%s on %.30s goes to the sign-in and back to %s', (code, url, target, prefix) => {
    const { status, headers, body } = refuse(code, 'Sign in', {
      url,
      headers: NAVIGATION,
      publicUrl: new URL(`https://mlflow.example.org${prefix}/`),
    })
    expect(status).toBe(302)
    expect(headers['location']).toBe(`${prefix}/auth/login?return_to=${encodeURIComponent(target)}`)
    expect(headers['cache-control']).toBe('no-store')
    expect(body).toBe('')
  })

  it('keeps a refused credential from going round in circles', () => {
    const { status, headers } = refuse('ERR_INVALID_TOKEN', 'No', {
      headers: { ...NAVIGATION, authorization: 'Bearer x' },
    })
    expect([status, headers['content-type']]).toEqual([401, 'text/html; charset=utf-8'])
  })

  it('is a page that says what is missing, who asks, the request id and what to do', () => {
    const { status, headers, body } = refuse('ERR_PERMISSION_DENIED', 'READ on experiment 2 is missing', {
      url: '/get-artifact?run_id=x',
      headers: NAVIGATION,
      username: 'ada <b>',
    })
    expect(status).toBe(403)
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'strict-transport-security': 'max-age=31536000',
    })
    expect(headers['content-security-policy']).toContain("default-src 'none'")
    for (const text of [
      'READ on experiment 2 is missing.',
      'ada &lt;b&gt;',
      '01HZX3J8Q0G5T7W9Y1A2B3C4D5',
      'Ask the owner',
    ]) {
      expect(body).toContain(text)
    }
    expect(body).not.toContain('ada <b>')
  })

  it('leads to the form to ask for what is missing, filled in', () => {
    const missing = { type: 'experiment', key: '2', level: 'READ' } as const
    const error = new GatewayError('ERR_PERMISSION_DENIED', 'READ is missing', { missing })
    const publicUrl = new URL('https://mlflow.example.org/ml/')
    const { headers, body } = renderRefusal(error, {
      ...CONTEXT,
      publicUrl,
      headers: NAVIGATION,
      username: 'ada',
    })
    const link = '/ml/auth/access?resource_type=experiment&key=2&level=READ#ask'
    expect(headers['x-ask-for-access']).toBe(link)
    expect(body).toContain(`<a class="button" href="${link.replaceAll('&', '&amp;')}">Ask for access</a>`)
    expect(body).toContain('whoever manages it')
    expect(refuse('ERR_PERMISSION_DENIED', 'No').headers).not.toHaveProperty('x-ask-for-access')
  })

  it('escapes what the message repeats', () => {
    const { body } = refuse('ERR_WRONG_HOST', '<img src=x onerror=alert(1)>', { headers: NAVIGATION })
    expect(body).toContain('&lt;img src=x')
  })

  it('has no HSTS on plain http, which would lock out a whole host name', () => {
    const { headers } = refuse('ERR_INTERNAL', 'No', { publicUrl: new URL('http://localhost:8080') })
    expect(headers).not.toHaveProperty('strict-transport-security')
  })
})

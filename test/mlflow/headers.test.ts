import type { IncomingMessage } from 'node:http'
import { describe, expect, it } from 'vitest'
import { requestHeaders, responseHeaders } from '../../src/mlflow/headers.ts'

const forwarded = (...raw: string[]) => requestHeaders({ rawHeaders: raw } as unknown as IncomingMessage, [])
const left = (headers: Record<string, string | string[]>, own: readonly string[] = []) =>
  responseHeaders(headers, own)

describe('a header of the request', () => {
  it.each(['Accept', 'Range', 'If-None-Match', 'If-Modified-Since', 'If-Range', 'User-Agent'])(
    '%s reaches MLflow',
    (name) => {
      expect(forwarded(name, 'x')).toEqual([name.toLowerCase(), 'x'])
      expect(forwarded(name.toUpperCase(), 'x')).toEqual([name.toLowerCase(), 'x'])
    },
  )

  it.each([
    // Credentials and identities.
    'Authorization',
    'Proxy-Authorization',
    'Cookie',
    'X-Forwarded-User',
    'X-Forwarded-Email',
    'X-Forwarded-Preferred-Username',
    'X-Forwarded-Access-Token',
    'X-Email',
    'X-User',
    'X-Remote-User',
    'Remote-User',
    'X-WEBAUTH-USER',
    'X-Auth-Request-User',
    'X-Goog-Authenticated-User-Email',
    'X-Amzn-Oidc-Data',
    // What MLflow obeys (SURFACE, identity and headers).
    'X-MLflow-Authorization',
    'X-MLflow-Guardrail-Bypass',
    'X-MLflow-Gateway-Caller',
    'X-MLFLOW-WORKSPACE',
    'x-mlflow-run-id',
    'x-mlflow-experiment-id',
    // Where the request came from, and for whom (field reports 75 and 84).
    'Forwarded',
    'X-Forwarded-For',
    'X-Forwarded-Host',
    'X-Forwarded-Proto',
    'X-Forwarded-Port',
    'X-Forwarded-Prefix',
    'X-Forwarded-Uri',
    'X-Real-IP',
    'X-Original-URL',
    'X-Rewrite-URL',
    'Via',
    'Host',
    'Origin',
    'Referer',
    'X-HTTP-Method-Override',
    'X-HTTP-Method',
    'X-Method-Override',
    // Which trace it is in (test/mlflow/callers-trace.test.ts).
    'traceparent',
    'tracestate',
    'baggage',
    // How the connection, or the body, is framed.
    'Connection',
    'Keep-Alive',
    'Proxy-Connection',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'Upgrade',
    'HTTP2-Settings',
    'Content-Length',
    'Content-Type',
    'Content-Encoding',
    'Content-MD5',
    'Expect',
    'Accept-Encoding',
    'Cache-Control',
    'X-Anything',
    // Underscores: a WSGI server takes them for hyphens (CVE-2025-64484).
    'X_Forwarded_User',
    'X_MLFLOW_WORKSPACE',
    'HTTP_AUTHORIZATION',
    'Remote_User',
    'If_None_Match',
    'User_Agent',
    'Range_',
    '',
  ])('%s stays here', (name) => {
    expect(forwarded(name, 'x')).toEqual([])
    expect(forwarded(name.toLowerCase(), 'x', name.toUpperCase(), 'y')).toEqual([])
  })

  it('stays here though Connection names one that passes, and the other way around', () => {
    expect(
      forwarded('Connection', 'x-mlflow-workspace, range', 'X-MLflow-Workspace', 'w', 'Accept', '*/*'),
    ).toEqual(['accept', '*/*'])
  })

  it('is read by its name, not by its value', () => {
    expect(forwarded('X-A', 'range', 'X-B', 'accept')).toEqual([])
  })

  it('comes after ours', () => {
    const request = {
      rawHeaders: ['Accept', 'a', 'X-Forwarded-For', '127.0.0.1'],
    } as unknown as IncomingMessage
    expect(requestHeaders(request, ['x-forwarded-for', '10.0.0.9'])).toEqual([
      'x-forwarded-for',
      '10.0.0.9',
      'accept',
      'a',
    ])
  })
})

describe('a header of the answer', () => {
  it.each([
    'content-type',
    'content-length',
    'content-disposition',
    'content-range',
    'accept-ranges',
    'etag',
    'last-modified',
    'vary',
    'x-frame-options',
    'x-mlflow-anything',
  ])('%s leaves', (name) => {
    expect(left({ [name]: 'x' })).toEqual([name, 'x'])
  })

  it.each([
    'set-cookie',
    'location',
    'content-location',
    'refresh',
    'server',
    'via',
    'date',
    'x-powered-by',
    'www-authenticate',
    'proxy-authenticate',
    'access-control-allow-origin',
    'access-control-allow-credentials',
    'access-control-allow-headers',
    'access-control-allow-methods',
    'access-control-expose-headers',
    'access-control-max-age',
    'access-control-allow-private-network',
    'connection',
    'keep-alive',
    'proxy-connection',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
    'strict-transport-security',
    'alt-svc',
    'clear-site-data',
    'service-worker-allowed',
    'x-accel-redirect',
    'x-accel-buffering',
    'x-sendfile',
  ])('%s does not', (name) => {
    expect(left({ [name]: 'x' })).toEqual([])
    expect(left({ [name]: ['x', 'y'] })).toEqual([])
  })

  it('that is ours is not doubled by MLflow’s of that name', () => {
    const own = [
      'cache-control',
      'no-store',
      'x-content-type-options',
      'nosniff',
      'x-request-id',
      'r1',
      'content-security-policy',
      'sandbox',
    ]
    const theirs = {
      'cache-control': 'public, max-age=31536000',
      'x-content-type-options': 'x',
      'x-request-id': ['a', 'b'],
      'content-security-policy': 'default-src *',
    }
    expect(left(theirs, own)).toEqual(own)
  })

  it('is MLflow’s where we set none: a row that may be kept says for how long', () => {
    expect(left({ 'cache-control': 'max-age=5' }, ['x-request-id', 'cache-control'])).toEqual([
      'x-request-id',
      'cache-control',
      'cache-control',
      'max-age=5',
    ])
  })

  it('that repeats does so still', () => {
    expect(left({ 'x-a': ['1', '2'], 'x-b': '3' })).toEqual(['x-a', '1', 'x-a', '2', 'x-b', '3'])
  })
})

/**
 * The attack: a path that the gateway reads as one thing and MLflow as another (SURFACE: path): escapes that only one
 * of them decodes, dot segments, doubled slashes, MLflow's artifact routes that decode until nothing changes. What is
 * matched is the raw request line against the catalogue's spelling; what is forwarded is built from the row.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RUN_A } from '../support/mlflow-stand-in.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

const API = '/api/2.0/mlflow'
const FILES = '/api/2.0/mlflow-artifacts/artifacts'
const NO_ROUTE = '404 ENDPOINT_NOT_FOUND no_such_route'
const AMBIGUOUS = '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST'

describe('a fixed path in another spelling', () => {
  it.each([
    ['leading slashes', `/${API}/experiments/get?experiment_id=2`],
    ['three of them', `//${API}/experiments/get?experiment_id=2`],
    ['slashes inside', '/api/2.0//mlflow/experiments/get?experiment_id=2'],
    ['slash at the end', `${API}/experiments/get/?experiment_id=2`],
    ['encoded slash', `${API}/experiments%2Fget?experiment_id=2`],
    ['encoded slash, lower case', `${API}/experiments%2fget?experiment_id=2`],
    ['encoded letter', `${API}/experiments/%67et?experiment_id=2`],
    ['letter encoded twice', `${API}/experiments/%2567et?experiment_id=2`],
    ['dot segment', `/api/./2.0/mlflow/experiments/get?experiment_id=2`],
    ['dot dot segment', `${API}/x/../experiments/get?experiment_id=2`],
    ['encoded dots', `${API}/x/%2e%2e/experiments/get?experiment_id=2`],
    ['encoded dots, mixed', `${API}/x/.%2E/experiments/get?experiment_id=2`],
    ['path parameter', `${API}/experiments/get;x=1?experiment_id=2`],
    ['path parameter instead of a query', `${API}/experiments/get;experiment_id=2`],
    ['NUL', `${API}/experiments/get%00?experiment_id=2`],
    ['blank at the end', `${API}/experiments/get%20?experiment_id=2`],
    ['backslash', '/api\\2.0\\mlflow\\experiments\\get?experiment_id=2'],
    ['encoded backslash', `${API}%5Cexperiments%5Cget?experiment_id=2`],
    ['upper case', '/API/2.0/mlflow/experiments/get?experiment_id=2'],
    ['upper case at the end', `${API}/experiments/GET?experiment_id=2`],
    ['fragment', `${API}/experiments/get#?experiment_id=2`],
    ['fragment before', `/#${API}/experiments/get?experiment_id=2`],
    ['non-ASCII letter', `${API}/experiments/g%C3%A9t?experiment_id=2`],
    ['fullwidth slash', `${API}%EF%BC%8Fexperiments/get?experiment_id=2`],
    ['prefix nobody serves', `/x${API}/experiments/get?experiment_id=2`],
    ['static prefix', `/mlflow${API}/experiments/get?experiment_id=2`],
    ['other version', '/api/3.0/mlflow/experiments/get?experiment_id=2'],
    ['preview version', '/api/2.0/preview/mlflow/experiments/get?experiment_id=2'],
    ['no slash where MLflow wants one', '/ajax-api/3.0/jobs'],
    ['leading slashes on a FastAPI route', '//v1/traces'],
    ['a second static route of Flask', '/build/static-files/main.js'],
    ['metrics of the server', '/metrics'],
  ])('%s: no route, for an admin neither', async (_, target) => {
    for (const as of ['admin', 'reader', undefined] as const) {
      const { line, reached } = await gateway.ask({ target, as })
      expect([as, line, reached]).toEqual([as, NO_ROUTE, []])
    }
  })

  it.each([
    ['absolute form', `http://127.0.0.1${API}/experiments/get?experiment_id=2`],
    ['absolute form, another host', `http://evil.example${API}/experiments/get?experiment_id=2`],
    ['asterisk', '*'],
    ['no slash', 'api/2.0/mlflow/experiments/get'],
    ['authority', '127.0.0.1:80'],
  ])('%s is no target', async (_, target) => {
    const { status, reached } = await gateway.ask({ target, as: 'admin' })
    expect([status, reached]).toEqual([400, []])
  })

  it.each([
    ['broken escape', `${API}/experiments/get%`],
    ['broken escape', `${API}/experiments/%zz`],
    ['invalid UTF-8', `${API}/experiments/%ff`],
    ['overlong slash', `${API}/experiments%c0%afget`],
    ['surrogate', `${API}/experiments/%ed%a0%80`],
    ['raw bytes', `${API}/experiments/g\xe9t`],
  ])('%s: refused whoever asks', async (_, target) => {
    for (const as of ['admin', undefined] as const) {
      const { status, reached } = await gateway.ask({ target, as })
      expect([400, 404]).toContain(status)
      expect(reached).toEqual([])
    }
  })

  it.each(['get', 'Get', 'GEt', 'PROPFIND', 'TRACE', 'OPTIONS', 'QUERY', 'CONNECT'])(
    'method %s reaches nothing',
    async (method) => {
      const target = `${API}/experiments/get?experiment_id=1`
      const answer = await gateway.ask({ method, target, as: 'admin' }).catch(() => undefined)
      expect(answer?.status ?? 400).toBeGreaterThanOrEqual(400)
      expect(answer?.reached ?? []).toEqual([])
    },
  )

  it('a method of another row at the same path is that row', async () => {
    const { line, event } = await gateway.ask({
      ...{ method: 'DELETE', target: `${FILES}/1/${RUN_A}/artifacts/x`, as: 'editor' },
    })
    expect([line, event?.operation]).toEqual(['403 PERMISSION_DENIED level_too_low', 'artifacts.delete'])
  })
})

describe('field report 87: a value in the path that climbs, or is decoded once more', () => {
  it.each([
    ['%2e%2e', '1/%2E%2E/2/x'],
    ['%2e%2e, lower case', '1/%2e%2e/2/x'],
    ['.%2e', '1/.%2e/2/x'],
    ['..', '1/../2/x'],
    ['.. at the start', '../2/x'],
    ['.. at the end', '1/..'],
    ['.', './2/x'],
    ['%2e', '%2e/2/x'],
    ['..%2f', '1/..%2f2/x'],
    ['..%2F, backslash spelling', '1/..%5c2/x'],
    ['.%00.', '1/.%00./2/x'],
    ['NUL at the end', '1/x%00.txt'],
    ['digit encoded twice', '%2532/x'],
    ['slash encoded twice', '1%252F..%252F2/x'],
    ['slash encoded twice, plain', '2%252Fx'],
    ['encoded three times', '%252532/x'],
    ['dot dot encoded twice', '1/%252e%252e/2/x'],
    ['encoded slash', '1%2F2/x'],
    ['empty segment', '1//x'],
    ['empty segment at the start', '/2/x'],
    ['slash at the end', `1/${RUN_A}/`],
    ['backslash', '1\\..\\2/x'],
    ['fragment', '1/%23/x'],
    ['line feed', '1/a%0Ab'],
    ['carriage return and request', '1/a%0d%0aHost:%20x'],
    ['delete', '1/%7f'],
    ['C1 control', '1/%C2%85'],
    ['scheme', 'file:/etc/passwd'],
    ['scheme', 's3:/bucket/x'],
    ['scheme, encoded', 'file%3a/etc/passwd'],
  ])('%s', async (_, path) => {
    for (const [method, as] of [
      ['GET', 'reader'],
      ['GET', 'admin'],
      ['PUT', 'editor'],
      ['DELETE', 'admin'],
    ] as const) {
      for (const prefix of ['/api', '/ajax-api']) {
        const target = `${prefix}/2.0/mlflow-artifacts/artifacts/${path}`
        const { status, reached } = await gateway.ask({ method, target, as })
        expect([method, as, 400 <= status && status < 500, reached]).toEqual([method, as, true, []])
      }
    }
  })

  it.each(['1/%2E%2E/2/x', '1/..%2f2/x', '%2532/x', '1//x', '1/x%00'])('%s says why', async (path) => {
    expect((await gateway.ask({ target: `${FILES}/${path}`, as: 'reader' })).line).toBe(AMBIGUOUS)
  })

  it.each([
    ['ids', `${API}/logged-models/m-${'a'.repeat(32)}%2F..%2Fm-${'b'.repeat(32)}`],
    ['ids', `${API}/logged-models/..`],
    ['ids', `${API}/logged-models/%2e%2e/tags/x`],
    ['ids', `${API}/logged-models/m-${'a'.repeat(32)};x=1`],
    ['ids', `${API}/logged-models/m-${'a'.repeat(32)}%3Fallow_deleted=true`],
    ['ids', `${API}/logged-models/m-${'a'.repeat(32)}%20`],
    ['ids', `${API}/logged-models/`],
    ['static files', '/static-files/..%2f..%2fapi/2.0/mlflow/experiments/get'],
    ['static files', '/static-files/../api/2.0/mlflow/experiments/get'],
    ['static files', '/static-files/%2e%2e/api/2.0/mlflow/experiments/get'],
    ['static files', '/static-files//etc/passwd'],
    ['static files', '/static-files/x%00'],
    ['static files', '/static-files/%252e%252e/api/2.0/mlflow/experiments/get'],
    ['tags', `${API}/logged-models/m-${'a'.repeat(32)}/tags/a%252Fb`],
  ])('in %s too: %s', async (_, target) => {
    const { status, reached } = await gateway.ask({ target, as: 'admin' })
    expect([400 <= status && status < 500, reached]).toEqual([true, []])
  })
})

describe('what is forwarded', () => {
  it.each([
    ['letters that need no escape lose theirs', '1/%61/b', '1/a/b'],
    ['other letters have theirs', '1/a b'.replace(' ', '%20'), '1/a%20b'],
    ['and keep them', '1/%C3%A9', '1/%C3%A9'],
    ['a plus is a plus', '1/a+b', '1/a%2Bb'],
    ['a semicolon is a letter', '1/a;b=c', '1/a%3Bb%3Dc'],
    ['an encoded question mark is a letter', '1/a%3Fb', '1/a%3Fb'],
    ['a per cent sign is one', '1/100%25', '1/100%25'],
    ['a digit in disguise is the digit', '%31/x', '1/x'],
  ])('%s', async (_, sent, expected) => {
    const { line, reached } = await gateway.ask({ target: `${FILES}/${sent}`, as: 'reader' })
    expect([line, reached]).toEqual(['200 allow', [`GET ${FILES}/${expected}`]])
  })

  it('the experiment of a disguised digit is the one that is judged', async () => {
    const { line, reached } = await gateway.ask({ target: `${FILES}/%32/x`, as: 'reader' })
    expect([line, reached]).toEqual(['403 PERMISSION_DENIED no_grant', []])
  })
})

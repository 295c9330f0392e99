import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isGatewayError } from '../../src/errors.ts'
import { CATALOGUE } from '../../src/mlflow/catalogue.ts'
import { buildPath, compileTemplate, matchPath, routerUrl } from '../../src/mlflow/path.ts'

const ARTIFACTS = '/api/2.0/mlflow-artifacts/artifacts'
const FILE = `${ARTIFACTS}/<path:artifact_path>`
const GET = '/api/2.0/mlflow/experiments/get'
const TAG = '/api/2.0/mlflow/logged-models/<model_id>/tags/<tag_key>'

type Result = Readonly<Record<string, string>> | 'no match' | string

/** The values, `no match` (the router answers 404), or the code of the refusal. */
function match(template: string, path: string): Result {
  try {
    return matchPath(compileTemplate(template), path) ?? 'no match'
  } catch (fault) {
    if (!isGatewayError(fault)) throw fault
    return fault.code
  }
}

const REFUSED = 'ERR_AMBIGUOUS_REQUEST'

describe('a path without values is the one spelling of it', () => {
  it.each([
    [GET, {}],
    [`/${GET}`, 'no match'],
    ['/api/2.0//mlflow/experiments/get', 'no match'],
    [`${GET}/`, 'no match'],
    ['/api/2.0/mlflow/experiments/%67et', 'no match'],
    ['/api/2.0/mlflow/experiments/%2567et', 'no match'],
    ['/api/2.0/mlflow/experiments%2Fget', 'no match'],
    ['/api/2.0/mlflow/experiments%2fget', 'no match'],
    ['/api/2.0/mlflow/./experiments/get', 'no match'],
    ['/api/2.0/mlflow/runs/../experiments/get', 'no match'],
    ['/api/2.0/mlflow/runs/%2e%2e/experiments/get', 'no match'],
    [`${GET};x=1`, 'no match'],
    [`${GET}%00`, 'no match'],
    [`${GET}%20`, 'no match'],
    ['/api/2.0/mlflow\\experiments/get', 'no match'],
    ['/API/2.0/mlflow/experiments/get', 'no match'],
    ['/api/2.0/mlflow/experiments/GET', 'no match'],
    [`http://127.0.0.1${GET}`, 'no match'],
    [GET.slice(1), 'no match'],
    ['*', 'no match'],
    ['', 'no match'],
    ['/', 'no match'],
    [`${GET}#x`, 'no match'],
  ])('%s', (path, expected) => {
    expect(match(GET, path)).toEqual(expected)
  })

  it('ends in a slash where MLflow declares one', () => {
    expect(match('/ajax-api/3.0/jobs/', '/ajax-api/3.0/jobs/')).toEqual({})
    expect(match('/ajax-api/3.0/jobs/', '/ajax-api/3.0/jobs')).toBe('no match')
    expect(match('/ajax-api/3.0/jobs/', '/ajax-api/3.0/jobs//')).toBe('no match')
  })
})

describe('an artifact path', () => {
  it.each([
    ['2/r/artifacts/model.pkl', '2/r/artifacts/model.pkl'],
    ['2/r/artifacts/a%20b%2Bc.txt', '2/r/artifacts/a b+c.txt'],
    ['2/r/artifacts/a+b.txt', '2/r/artifacts/a+b.txt'],
    ['2/r/artifacts/%C3%A9.txt', '2/r/artifacts/é.txt'],
    ['2/r/artifacts/100%25.txt', '2/r/artifacts/100%.txt'],
    ['2/r/artifacts/..hidden', '2/r/artifacts/..hidden'],
    ['2/r/artifacts/...', '2/r/artifacts/...'],
    ['2/r/artifacts/a;b=c', '2/r/artifacts/a;b=c'],
    ['2/r/artifacts/what%3F', '2/r/artifacts/what?'],
    ['%32/r/artifacts/x', '2/r/artifacts/x'],
  ])('%s is %s', (raw, value) => {
    expect(match(FILE, `${ARTIFACTS}/${raw}`)).toEqual({ artifact_path: value })
  })

  it.each([
    ['decodes to another number only when decoded twice', '%2532/r/artifacts/x'],
    ['an encoded slash, encoded', '2%252Fr/artifacts/x'],
    ['three times encoded', '%25252e%25252e/x'],
    ['a remainder that is encoded once more', '2/r/artifacts/%2541'],
    ['an encoded slash', '2%2Fr/artifacts/x'],
    ['an encoded slash in lower case', '2%2fr/artifacts/x'],
    ['an encoded backslash', '2/..%5c3/x'],
    ['a backslash', '2/..\\3/x'],
    ['field report 87: encoded dot segments', '2/%2E%2E/3/x'],
    ['a dot segment, half encoded', '2/.%2e/3/x'],
    ['a dot segment with its slash', '2/..%2f3/x'],
    ['a dot segment', '2/../3/x'],
    ['a single dot', './2/x'],
    ['a single dot, encoded', '%2e/2/x'],
    ['NUL', '2/x%00.png'],
    ['NUL between dots', '2/.%00./3/x'],
    ['a newline', '2/%0a'],
    ['a C1 control character', '2/%C2%85'],
    ['DEL', '2/%7f'],
    ['a fragment', '2/x%23y'],
    ['a fragment as it is', '2/x#y'],
    ['an empty segment', '2//x'],
    ['an empty segment at the start', '/2/x'],
    ['a trailing slash', '2/'],
    ['nothing at all', ''],
    ['a broken escape', '2/%zz'],
    ['a cut escape', '2/%2'],
    ['no UTF-8', '2/%ff'],
    ['an overlong slash', '2/..%c0%af3'],
    ['a surrogate in three bytes', '2/%ed%a0%80'],
  ])('is refused: %s', (_, raw) => {
    expect(match(FILE, `${ARTIFACTS}/${raw}`)).toBe(REFUSED)
  })

  it.each([ARTIFACTS, `/${ARTIFACTS}/2/x`, `${ARTIFACTS}x/2`, `/ajax-${ARTIFACTS.slice(1)}/2/x`, '/2/x'])(
    'begins where MLflow serves it: %s',
    (path) => {
      expect(match(FILE, path)).toBe('no match')
    },
  )

  it('has 256 segments at most', () => {
    const deep = (segments: number) => match('/<path:p>', `/${Array(segments).fill('a').join('/')}`)
    expect(deep(256)).toEqual({ p: Array(256).fill('a').join('/') })
    expect(deep(257)).toBe('ERR_INVALID_PARAMETER')
    expect(deep(100_000)).toBe('ERR_INVALID_PARAMETER')
  })
})

describe('values of one segment', () => {
  it.each([
    ['/api/2.0/mlflow/logged-models/m-1/tags/k', { model_id: 'm-1', tag_key: 'k' }],
    ['/api/2.0/mlflow/logged-models/m-1/tags/a%20b%25', { model_id: 'm-1', tag_key: 'a b%' }],
    ['/api/2.0/mlflow/logged-models/m-1/tags', 'no match'],
    ['/api/2.0/mlflow/logged-models/m-1/tags/', REFUSED],
    ['/api/2.0/mlflow/logged-models//tags/k', REFUSED],
    ['/api/2.0/mlflow/logged-models/m-1/tags/k/x', 'no match'],
    ['/api/2.0/mlflow/logged-models/m-1%2Ftags/k', 'no match'],
    ['/api/2.0/mlflow/logged-models/m-1/tags/a%2Fb', REFUSED],
    ['/api/2.0/mlflow/logged-models/../tags/k', REFUSED],
    ['/api/2.0/mlflow/logged-models/m-1/%74ags/k', 'no match'],
  ])('%s', (path, expected) => {
    expect(match(TAG, path)).toEqual(expected)
  })

  it.each([
    ['/models/name:generateContent', { name: 'name' }],
    ['/models/a:b:generateContent', { name: 'a:b' }],
    ['/models/name%3AgenerateContent', 'no match'],
    ['/models/name:generateconTent', 'no match'],
    ['/models/name:streamGenerateContent', 'no match'],
    ['/models/:generateContent', REFUSED],
    ['/models/..:generateContent', REFUSED],
    ['/models/a%2Fb:generateContent', REFUSED],
    ['/models/name:generateContent/x', 'no match'],
  ])('with a verb behind it: %s', (path, expected) => {
    expect(match('/models/<name>:generateContent', path)).toEqual(expected)
  })
})

describe('values of several segments in the middle of a path', () => {
  const VERSION_TAG = '/s/<path:name>/versions/<path:version>/tags/<path:key>'
  it.each([
    ['/s/<path:name>/versions', '/s/a/b/versions', { name: 'a/b' }],
    ['/s/<path:name>/versions', '/s/versions', 'no match'],
    ['/s/<path:name>/versions', '/s/a/b', 'no match'],
    ['/s/<path:name>/versions', '/s/a//versions', REFUSED],
    ['/s/<path:name>/versions', '/s/versions/versions', { name: 'versions' }],
    ['/s/<path:name>/x/<id>', '/s/a/b/x/1', { name: 'a/b', id: '1' }],
    ['/s/<path:name>/x/<id>', '/s/a/x/x/1', { name: 'a/x', id: '1' }],
    [VERSION_TAG, '/s/a/b/versions/1/tags/k/l', { name: 'a/b', version: '1', key: 'k/l' }],
    [VERSION_TAG, '/s/a/versions/1', 'no match'],
    [VERSION_TAG, '/s/versions/versions/1/tags/k', { name: 'versions', version: '1', key: 'k' }],
  ])('%s with %s', (template, path, expected) => {
    expect(match(template, path)).toEqual(expected)
  })

  // Werkzeug would take the shortest first value, Starlette the longest.
  it.each([
    '/s/a/versions/b/versions/1/tags/k',
    '/s/a/versions/1/tags/k/tags/l',
    '/s/a/versions/versions/tags/k/versions/1/tags/l',
  ])('that could end in two places are refused: %s', (path) => {
    expect(match(VERSION_TAG, path)).toBe(REFUSED)
  })

  it.each([
    ['/a'.repeat(250)],
    [`/versions/a`.repeat(120)],
    [`/versions/tags`.repeat(120)],
    [`/a/versions/b/tags`.repeat(60)],
  ])('cost little to look for', (path) => {
    const start = performance.now()
    match(VERSION_TAG, `/s${path}`)
    match(VERSION_TAG, `/s${path}/`)
    expect(performance.now() - start).toBeLessThan(200)
  })
})

describe('what is forwarded', () => {
  const rows = CATALOGUE.flatMap(({ paths }) => paths)
  /** A value a template's parameter may have: no slash, none of what is refused. */
  const segment = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
    .filter(
      (value) =>
        !/[\p{Cc}\\/#]|%[0-9a-f]{2}/iu.test(value) && !/^\.{1,2}$/.test(value) && value.isWellFormed(),
    )
  const rest = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))

  it('is read again as the same values, for every row of the catalogue', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...rows),
        fc.infiniteStream(segment),
        fc.infiniteStream(rest),
        (template, one, many) => {
          const params: Record<string, string> = {}
          for (const part of template.segments) {
            if (part.kind === 'rest') params[part.name] = many.next().value
            if (part.kind === 'param') params[part.name] = one.next().value
          }
          const path = buildPath(template, params)
          expect(path).toMatch(/^\/[\x21-\x7e]*$/)
          expect(match(template.text, path)).toEqual(params)
        },
      ),
      { numRuns: 500 },
    )
  })

  it.each([
    [FILE, { artifact_path: '2/a b/c?d=é&%.txt' }, `${ARTIFACTS}/2/a%20b/c%3Fd%3D%C3%A9%26%25.txt`],
    [TAG, { model_id: 'm-1', tag_key: 'a+b;c' }, '/api/2.0/mlflow/logged-models/m-1/tags/a%2Bb%3Bc'],
    ['/models/<name>:generateContent', { name: 'a:b' }, '/models/a%3Ab:generateContent'],
    [GET, {}, GET],
  ])('%s with %j is %s', (template, params, path) => {
    expect(buildPath(compileTemplate(template), params)).toBe(path)
  })
})

describe('the same template for the router', () => {
  it.each([
    [GET, GET],
    [TAG, '/api/2.0/mlflow/logged-models/:p4/tags/:p6'],
    [FILE, `${ARTIFACTS}/*`],
    ['/s/<path:name>/versions/<path:version>', '/s/*'],
    ['/models/<name>:generateContent', '/models/*'],
    ['/ajax-api/3.0/jobs/', '/ajax-api/3.0/jobs/'],
    ['/', '/'],
  ])('%s is %s', (template, url) => {
    expect(routerUrl(compileTemplate(template))).toBe(url)
  })
})

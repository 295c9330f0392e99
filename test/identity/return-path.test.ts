import { describe, expect, it } from 'vitest'
import { absoluteUrl, safeReturnPath } from '../../src/identity/return-path.ts'

const ROOT = new URL('https://mlflow.example.org')
const UNDER_A_PATH = new URL('https://example.org/ml')

describe('field report 74: only to a path of ours', () => {
  const LONG = `/${'x'.repeat(10_000)}`
  it.each([
    '//e',
    '///e',
    '/\\e',
    '/\\/e',
    '\\/\\/e',
    '\\\\e',
    'https:e',
    'https://e',
    'https://mlflow.example.org@e/',
    'https://mlflow.example.org/x', // ours, but not a path
    'javascript:alert(1)',
    'data:text/html,x',
    '/..//e',
    '/.//e',
    '/x/..//e',
    '/\t/e',
    '/\n/e',
    '/\u0000/e',
    ' //e',
    '/ /e',
    'e',
    '',
    LONG,
    '/auth/login?return_to=/',
    '/auth/logout',
    '/auth/callback/oidc?code=x',
    '/x/../auth/logout',
  ])('%j leads to the start page', (input) => {
    expect(safeReturnPath(input, ROOT)).toBe('/')
  })

  it.each([
    '/%09/e',
    '/%5ce',
    '/%2f/e',
    '/x#//e',
    '/x?next=//e',
    '/@e',
    '/:80',
    '/.e',
    '//e',
    '/\\e',
    '/..//e',
    '/%2e%2e//e',
  ])('%j stays on our origin, read as a browser reads it', (input) => {
    const path = safeReturnPath(input, ROOT)
    expect(new URL(path, ROOT).origin).toBe(ROOT.origin)
    expect(new URL(absoluteUrl(ROOT, path)).origin).toBe(ROOT.origin)
    expect(path).toMatch(/^\/(?![/\\])/)
  })

  it.each([
    ['/', '/'],
    ['/#/experiments/1', '/#/experiments/1'],
    ['/#/experiments/1/runs/ab?tab=x', '/#/experiments/1/runs/ab?tab=x'],
    ['/#/compare-runs?runs=["a","b"]', '/#/compare-runs?runs=[%22a%22,%22b%22]'],
    ['/get-artifact?path=a%20b&run_uuid=r', '/get-artifact?path=a%20b&run_uuid=r'],
    ['/auth/tokens', '/auth/tokens'],
  ])('%j is kept', (input, expected) => {
    expect(safeReturnPath(input, ROOT)).toBe(expected)
  })
})

describe('field report 49: under a path', () => {
  it.each([
    ['/ml/#/experiments/1', '/ml/#/experiments/1'], // as the browser sees it
    ['/#/experiments/1', '/ml/#/experiments/1'], // as it reaches the gateway, the prefix taken away
    ['/ml', '/ml/'],
    ['/', '/ml/'],
    [undefined, '/ml/'],
    ['/ml//e', '/ml/'],
    ['/ml/..//e', '/ml/'],
    ['/ml/../../x', '/ml/x'],
    ['/mlx/y', '/ml/mlx/y'],
    ['/ml/auth/logout', '/ml/'],
  ])('%j becomes %s', (input, expected) => {
    expect(safeReturnPath(input, UNDER_A_PATH)).toBe(expected)
  })
})

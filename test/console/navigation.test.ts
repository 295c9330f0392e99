import { describe, expect, it } from 'vitest'
import { maySignIn, wantsPage } from '../../src/console/navigation.ts'

const CHROME_ACCEPT = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8'
const NAVIGATION = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', accept: CHROME_ACCEPT }
const MOZILLA = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36'

describe('field report 35, 67: who gets a page, who gets the API error', () => {
  it.each([
    ['a navigation', '/', NAVIGATION, true],
    ['a navigation to an API address', '/api/2.0/mlflow/experiments/search', NAVIGATION, true],
    ['a download in a new tab', '/get-artifact?run_id=r', NAVIGATION, true],
    ['a frame', '/', { ...NAVIGATION, 'sec-fetch-dest': 'iframe' }, false],
    [
      'a fetch by the page',
      '/',
      { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', accept: '*/*' },
      false,
    ],
    ['a fetch that asks for HTML', '/', { 'sec-fetch-mode': 'cors', accept: CHROME_ACCEPT }, false],
    ['an image', '/x.png', { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }, false],
    ['half of the fetch metadata', '/', { 'sec-fetch-site': 'same-origin', accept: CHROME_ACCEPT }, false],
    ['a browser on plain http', '/', { accept: CHROME_ACCEPT }, true],
    ['the same on an API path', '/api/2.0/mlflow/runs/get?run_id=1', { accept: CHROME_ACCEPT }, false],
    ['the same on an ajax path', '/ajax-api/2.0/mlflow/runs/get', { accept: CHROME_ACCEPT }, false],
    ['the same on our own API', '/auth/api/v1/me', { accept: CHROME_ACCEPT }, false],
    ['the same on /graphql', '/graphql', { accept: CHROME_ACCEPT }, false],
    ['a path that only begins like one', '/apiary', { accept: CHROME_ACCEPT }, true],
    ['a page of ours', '/auth/tokens', { accept: CHROME_ACCEPT }, true],
    ['curl', '/', { accept: '*/*' }, false],
    ['requests with a borrowed User-Agent', '/', { accept: '*/*', 'user-agent': MOZILLA }, false],
    ['no Accept', '/', {}, false],
    ['an SDK', '/', { accept: 'application/json, text/plain, */*' }, false],
    ['JSON before HTML', '/', { accept: 'text/html;q=0.5, application/json' }, false],
    ['JSON and HTML alike', '/', { accept: 'application/json, text/html' }, false],
    ['HTML before JSON', '/', { accept: 'application/json;q=0.5, text/html' }, true],
    ['HTML refused', '/', { accept: 'text/html;q=0' }, false],
    ['a weight that is none', '/', { accept: 'text/html;q=abc' }, false],
  ])('%s', (_, url, headers, expected) => {
    expect(wantsPage({ method: 'GET', url, headers })).toBe(expected)
  })

  it.each([
    ['a navigation', 'GET', {}, true],
    ['a form', 'POST', {}, false],
    ['HEAD', 'HEAD', {}, false],
    ['a navigation with a credential in the header', 'GET', { authorization: 'Basic eDp5' }, false],
  ])('%s may be sent to sign in: %s %j %s', (_, method, headers, expected) => {
    expect(maySignIn({ method, url: '/', headers: { ...NAVIGATION, ...headers } })).toBe(expected)
  })
})

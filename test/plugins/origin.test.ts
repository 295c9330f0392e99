import { describe, expect, it } from 'vitest'
import { assertSameOrigin } from '../../plugins/origin.ts'

const OURS = new URL('https://mlflow.example.org/ml')

function check(
  method: string,
  headers: Record<string, string>,
  form: 'cookie' | 'bearer' | 'basic' = 'cookie',
) {
  return () => assertSameOrigin({ method, headers }, { form }, OURS)
}

describe('a request another site made the browser send', () => {
  it.each([
    ['POST', { origin: 'https://evil.example' }],
    ['POST', { origin: 'null' }],
    ['POST', { origin: '' }],
    ['POST', { origin: 'http://mlflow.example.org' }],
    ['POST', { origin: 'https://mlflow.example.org:8443' }],
    ['POST', { origin: 'https://mlflow.example.org.evil.example' }],
    ['POST', { origin: 'https://mlflow.example.org/' }],
    ['POST', { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' }],
    ['POST', { 'sec-fetch-site': 'same-site' }],
    ['POST', { 'sec-fetch-site': 'cross-site' }],
    ['POST', { 'sec-fetch-site': 'none' }],
    ['POST', { referer: 'https://mlflow.example.org/ml/' }],
    ['POST', {}],
    ['PUT', {}],
    ['PATCH', {}],
    ['DELETE', {}],
    ['OPTIONS', {}],
    ['post', {}],
    ['GET', { origin: 'https://evil.example' }],
    ['GET', { origin: 'null', 'sec-fetch-site': 'same-origin' }],
    ['GET', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }],
    ['GET', { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'script' }],
    ['GET', { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }],
    ['GET', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'embed' }],
    ['GET', { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }],
    ['HEAD', { 'sec-fetch-site': 'same-site' }],
  ])('%s %j is refused', (method, headers: Record<string, string>) => {
    expect(check(method, headers)).toThrow(
      expect.objectContaining({ code: 'ERR_CROSS_ORIGIN', reason: 'cross_origin' }),
    )
  })

  it.each([
    ['POST', { origin: 'https://mlflow.example.org' }],
    ['DELETE', { origin: 'https://mlflow.example.org', 'sec-fetch-site': 'same-origin' }],
    ['POST', { 'sec-fetch-site': 'same-origin' }],
    ['GET', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }],
    ['GET', { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }],
    ['GET', { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }],
    ['GET', { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }],
    ['GET', { origin: 'https://mlflow.example.org' }],
    ['HEAD', {}],
  ])('%s %j is let through', (method, headers: Record<string, string>) => {
    expect(check(method, headers)).not.toThrow()
  })

  it('matters only for what browsers send on their own', () => {
    expect(check('POST', {}, 'bearer')).not.toThrow()
    expect(check('POST', { origin: 'https://evil.example' }, 'basic')).not.toThrow()
  })
})

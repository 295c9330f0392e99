import { describe, expect, it } from 'vitest'
import { createHostCheck } from '../../src/console/host-check.ts'

describe('field report 43: the Host header, with a port and without', () => {
  const isAllowed = createHostCheck([
    'mlflow.example.org',
    '[::1]',
    '10.0.0.7',
    'internal:8443',
    '[2001:db8::1]:9000',
  ])

  it.each([
    ['mlflow.example.org', true],
    ['MLFLOW.example.org:8443', true],
    ['mlflow.example.org.', true],
    ['mlflow.example.org.:443', true],
    ['[::1]:8080', true],
    ['[0:0:0:0:0:0:0:1]', true],
    ['10.0.0.7:1', true],
    ['internal:8443', true],
    ['internal:08443', true],
    ['[2001:DB8:0::1]:9000', true],
    ['internal', false],
    ['internal:8444', false],
    ['[2001:db8::1]', false],
    ['evil.org', false],
    ['mlflow.example.org.evil.org', false],
    ['evil.org:mlflow.example.org', false],
    ['evil@mlflow.example.org', false],
    ['mlflow.example.org@evil.org', false],
    ['mlflow.example.org/evil', false],
    ['mlflow.example.org, evil.org', false],
    ['mlflow.example.org evil.org', false],
    ['mlflow.example.org..', false],
    ['mlflow.example.org:', false],
    ['mlflow.example.org:80:80', false],
    ['mlflow.example.org:123456', false],
    ['.mlflow.example.org', false],
    ['::1', false],
    ['[::1', false],
    ['[::zz]', false],
    ['', false],
    ['.', false],
    ['10.0.0.07', false],
    ['ｍlflow.example.org', false],
  ])('%j → %s', (host, expected) => {
    expect(isAllowed(host)).toBe(expected)
    expect(isAllowed(host)).toBe(expected) // also when remembered
  })
})

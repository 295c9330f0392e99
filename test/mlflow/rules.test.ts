import { describe, expect, it } from 'vitest'
import { isGatewayError } from '../../src/errors.ts'
import type { Rule } from '../../src/mlflow/operation.ts'
import {
  adminField,
  adminTag,
  onlyIf,
  plainPath,
  plainSegment,
  refuseField,
  row,
  SIGNED_IN,
} from '../../src/mlflow/row.ts'
import { checkRules } from '../../src/mlflow/rules.ts'
import { type CallParts, callOf } from './examples.ts'

function checked(rule: Rule, parts: CallParts, isAdmin = false, presignedUrls = false): string {
  const operation = row('test.row', 'POST', '/test', SIGNED_IN, { rules: [rule] })
  try {
    checkRules(callOf(operation, parts), {
      isAdmin,
      switches: { presignedUrls, assistant: false },
      webhookHosts: [],
    })
    return 'ok'
  } catch (fault) {
    if (!isGatewayError(fault)) throw fault
    return `${fault.code} ${fault.reason ?? ''}`.trim()
  }
}

const ADMIN_ONLY = 'ERR_PERMISSION_DENIED admin_only'
const AMBIGUOUS = 'ERR_AMBIGUOUS_REQUEST'
const INVALID = 'ERR_INVALID_PARAMETER'

describe('a field that only an admin may set', () => {
  const rule = adminField('artifact_location?')
  it.each([
    ['{"artifact_location":"s3://b/x"}', ADMIN_ONLY],
    ['{"artifactLocation":"/tmp"}', ADMIN_ONLY],
    ['{"artifact\\u005flocation":"/tmp"}', ADMIN_ONLY],
    ['{"artifact_location":""}', INVALID],
    ['{"artifact_location":1}', INVALID],
    ['{"artifact_location":null}', 'ok'],
    ['{"artifact_location_":"/tmp"}', 'ok'],
    ['{}', 'ok'],
    [undefined, 'ok'],
  ])('%s: %s', (body, expected) => {
    expect(checked(rule, { body })).toBe(expected)
  })

  it('may be set by one', () => {
    expect(checked(rule, { body: '{"artifact_location":"s3://b/x"}' }, true)).toBe('ok')
  })
})

describe('a tag that only an admin may set', () => {
  const rule = adminTag('key', 'mlflow.prompt.is_prompt')
  it.each([
    ['{"key":"mlflow.prompt.is_prompt"}', ADMIN_ONLY],
    ['{"key":"mlflow\\u002eprompt.is_prompt"}', ADMIN_ONLY],
    ['{"key":"mlflow.prompt.is_prompt "}', 'ok'],
    ['{"key":"other"}', 'ok'],
    ['{"key":["mlflow.prompt.is_prompt"]}', INVALID],
    ['{}', INVALID],
  ])('%s: %s', (body, expected) => {
    expect(checked(rule, { body })).toBe(expected)
  })

  it('may be set by one', () => {
    expect(checked(rule, { body: '{"key":"mlflow.prompt.is_prompt"}' }, true)).toBe('ok')
  })
})

describe('a field that must not be there', () => {
  const rule = refuseField('query:run_id?', 'name the run as run_uuid')
  it.each([
    ['run_id=a', AMBIGUOUS],
    ['run_id=a&run_uuid=a', AMBIGUOUS],
    ['run_id', INVALID],
    ['run_uuid=a', 'ok'],
    ['', 'ok'],
  ])('%j: %s', (query, expected) => {
    expect(checked(rule, { query })).toBe(expected)
    expect(checked(rule, { query }, true)).toBe(expected)
  })
})

describe('a field that must be one path segment', () => {
  const rule = plainSegment('path')
  it.each([
    ['file.bin', 'ok'],
    ['a b-1_é.bin', 'ok'],
    ['..bin', 'ok'],
    ['a/b', AMBIGUOUS],
    ['/a', AMBIGUOUS],
    ['../2/x', AMBIGUOUS],
    ['..', AMBIGUOUS],
    ['.', AMBIGUOUS],
    ['a\\b', AMBIGUOUS],
    ['%2e%2e', AMBIGUOUS],
    ['a%2Fb', AMBIGUOUS],
    ['100%', AMBIGUOUS],
    ['a#b', AMBIGUOUS],
    ['a\0', AMBIGUOUS],
    ['a\n', AMBIGUOUS],
    ['', INVALID],
  ])('%j: %s', (path, expected) => {
    expect(checked(rule, { body: { path } })).toBe(expected)
    expect(checked(rule, { body: { path } }, true)).toBe(expected)
  })
})

describe('a field that must be a path below a root', () => {
  const rule = plainPath('path')
  it.each([
    ['path=', 'ok'],
    ['', 'ok'],
    ['path=model', 'ok'],
    ['path=model/', 'ok'],
    ['path=a%20b/c%3Fd.txt', 'ok'],
    ['path=epoch%3A1.ckpt', 'ok'],
    ...['../x', 'a/..', '.', 'a//b', '/a', 'a//', '/'].map((each) => [`path=${each}`, AMBIGUOUS]),
    ...['a\\b', 'a#b', '%2e%2e', 'a%2Fb', 'a\n', ' a', 'x?', 'x;', 'x;?', '..?', 'c:/x', 'file:x'].map(
      (each) => [`path=${encodeURIComponent(each)}`, AMBIGUOUS],
    ),
  ])('%j: %s', (query, expected) => {
    expect(checked(rule, { query })).toBe(expected)
    expect(checked(rule, { query }, true)).toBe(expected)
  })
})

describe('an operation behind a switch', () => {
  it('is off for everybody unless it is switched on', () => {
    const rule = onlyIf('presignedUrls')
    expect(checked(rule, {}, true, false)).toBe('ERR_PERMISSION_DENIED switched_off')
    expect(checked(rule, {}, false, true)).toBe('ok')
    expect(checked(onlyIf('assistant'), {}, true, true)).toBe('ERR_PERMISSION_DENIED switched_off')
  })
})

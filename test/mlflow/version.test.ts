import { describe, expect, it } from 'vitest'
import { isServedBy, isServedByAll, knownNear } from '../../src/mlflow/version.ts'

describe('how a version stands to the known ones', () => {
  it.each([
    ['2.22.5', true, ['2.22.5']],
    ['3.17.2', true, ['3.17.2']],
    ['2.9.0', false, ['2.22.5']],
    ['2.22.4', false, ['2.22.5']],
    ['2.22.6', false, ['2.22.5', '3.1.4']],
    ['3.2.0', false, ['3.1.4', '3.10.1']],
    ['3.10.0', false, ['3.1.4', '3.10.1']],
    ['3.9.9', false, ['3.1.4', '3.10.1']],
    ['3.17.3', false, ['3.17.2']],
    ['3.17.2rc1', false, ['3.17.2']],
    ['3.18.1.dev0', false, ['3.17.2']],
    ['10.0.0', false, ['3.17.2']],
  ])('%s', (text, isKnown, neighbours) => {
    expect(knownNear(text)).toEqual({ isKnown, neighbours })
  })

  it.each([
    '',
    '3',
    '3.17',
    'v3.17.2',
    '3.17.2 ',
    ' 3.17.2',
    '3.17.2\n',
    '3.17.2<b>',
    '99999.0.0',
    `3.17.2${'a'.repeat(30)}`,
    '<html>',
  ])('%j is no version', (text) => expect(knownNear(text)).toBeUndefined())
})

describe('what a range includes', () => {
  it.each([
    [{}, ['2.22.5'], true, true],
    [{}, ['3.17.2'], true, true],
    [{ since: '3.10.1' }, ['3.1.4'], false, false],
    [{ since: '3.10.1' }, ['3.10.1'], true, true],
    [{ since: '3.10.1' }, ['3.1.4', '3.10.1'], true, false],
    [{ since: '3.10.1' }, ['3.17.2'], true, true],
    [{ until: '3.1.4' }, ['3.1.4'], true, true],
    [{ until: '3.1.4' }, ['3.10.1'], false, false],
    [{ since: '3.1.4', until: '3.1.4' }, ['2.22.5'], false, false],
    [{ since: '3.1.4', until: '3.1.4' }, ['2.22.5', '3.1.4'], true, false],
  ] as const)('%j in %j', (range, versions, some, all) => {
    expect([isServedBy(range, versions), isServedByAll(range, versions)]).toEqual([some, all])
  })
})

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { judge, readExplanations, readFindings } from '../../deploy/setup/audit-dependencies.ts'

const advisory = (id: string, name: string) => ({
  ...{ source: 1234, name, title: 'Something can be done', severity: 'high', range: '<2.0.0' },
  url: `https://github.com/advisories/${id}`,
})

const A = 'GHSA-aaaa-bbbb-cccc'

/** As npm prints it (audit report version 2): `outer` is listed because of `inner`. */
const REPORT = JSON.stringify({
  auditReportVersion: 2,
  vulnerabilities: {
    inner: { name: 'inner', severity: 'high', via: [advisory(A, 'inner')] },
    outer: { name: 'outer', severity: 'high', via: ['inner'] },
    again: { name: 'again', severity: 'high', via: [advisory(A, 'inner')] },
  },
})

const page = (...rows: readonly string[]) =>
  [
    '# Dependencies',
    '## Known holes that do not concern us',
    '| id | package | why |',
    '|---|---|---|',
    ...rows,
  ].join('\n')

describe('findings', () => {
  it('are each named once, with the package that has the hole', () => {
    expect(readFindings(REPORT)).toEqual([
      { id: A, package: 'inner', severity: 'high', title: 'Something can be done', range: '<2.0.0' },
    ])
  })

  it.each([
    ['', 'printed no report'],
    ['{"message":"405 Method Not Allowed"}', '405 Method Not Allowed'],
    ['{}', 'printed no report'],
  ])('what is no report is not taken for a clean one: %s', (json, message) => {
    expect(() => readFindings(json)).toThrow(message)
  })
})

describe('an explanation', () => {
  it.each([
    ['is for that hole in that package', [`| \`${A}\` | \`inner\` | never given input of a user |`], 0],
    ['is not for another package', [`| \`${A}\` | \`other\` | never given input of a user |`], 1],
    ['has to say something', [`| \`${A}\` | \`inner\` |  |`], 1],
    ['is there or it is not', [], 1],
  ])('%s', (_, rows, open) => {
    expect(judge(readFindings(REPORT), readExplanations(page(...rows))).open).toBe(open)
  })

  it('that is no longer needed is said to be so', () => {
    const { lines, open } = judge([], readExplanations(page(`| \`${A}\` | \`inner\` | because |`)))
    expect([lines, open]).toEqual([[`no longer found, take it out of docs/dependencies.md: ${A} inner`], 0])
  })
})

it('docs/dependencies.md has the place for them', () => {
  const text = readFileSync(new URL('../../docs/dependencies.md', import.meta.url), 'utf8')
  expect(text).toContain('## Known holes that do not concern us')
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileGlob, isWithin } from '../../src/policy/glob.ts'
import { readPolicyFile } from '../../src/policy/policy-file.ts'
import { type FindingsContext, findingsOf } from '../../src/policy/policy-findings.ts'

const NOW = Date.UTC(2027, 0, 15) / 1000
const SETTING = {
  providers: [{ id: 'oidc', groupsClaim: 'groups' }],
  workspaces: { workspaces: true, upstreams: [] },
}

function findings(text: string, context: Partial<FindingsContext> = {}, providerIds = ['oidc']): string[] {
  return findingsOf(readPolicyFile(text, { providerIds }), { setting: SETTING, now: NOW, ...context }).map(
    ({ line, place, problem, remedy }) => `${line} ${place} ${problem} | ${remedy}`,
  )
}

/** A role with those grants, a line each, the first on line 5; somebody holds it. */
const role = (...grants: readonly string[]) =>
  `version: 1\nroles:\n  - name: r\n    grants:\n${grants.map((each) => `      - { ${each} }\n`).join('') || '      []\n'}users: { alice: [r] }\n`

const e = (target: string, level: string, expires?: string) =>
  `experiment: ${target}, level: ${level}${expires === undefined ? '' : `, expires: ${expires}`}`

describe('a policy file in order', () => {
  it.each([
    ['one grant', [e('"*"', 'READ')]],
    ['a narrower grant of a higher level', [e('"*"', 'READ'), e('{ name: alpha/* }', 'EDIT')]],
    ['a DENY inside a grant', [e('"*"', 'EDIT'), e('{ name: alpha/* }', 'DENY')]],
    ['a higher level for a time', [e('"*"', 'READ'), e('"*"', 'EDIT', '2027-02-01')]],
    ['a wider grant that ends earlier', [e('"*"', 'EDIT', '2027-02-01'), e('{ id: "1" }', 'READ')]],
    ['a DENY that ends earlier', [e('"*"', 'DENY', '2027-02-01'), e('{ id: "1" }', 'READ')]],
    ['patterns that overlap', [e('{ name: a* }', 'READ'), e('{ name: "*b" }', 'READ')]],
    ['a pattern that only seems wider', [e('{ name: a*b }', 'READ'), e('{ name: ab* }', 'READ')]],
    ['an id beside a name, which may not be its', [e('{ name: "*" }', 'READ'), e('{ id: "1" }', 'READ')]],
    ['another type', [e('"*"', 'MANAGE'), 'prompt: "*", level: READ']],
    [
      'a DENY wider than a DENY that lasts longer',
      [e('"*"', 'DENY', '2027-02-01'), e('{ id: "1" }', 'DENY')],
    ],
  ])('has nothing to find in %s', (_what, grants) => {
    expect(findings(role(...grants))).toEqual([])
  })

  const covered = (what: string) => `says no more than ${what} in the same role | Remove it.`
  const beaten = (what: string) =>
    `is always outweighed by ${what} in the same role | Remove it, or narrow the DENY.`
  it.each([
    [[e('"*"', 'READ'), e('{ id: "1" }', 'READ')], '6', covered('READ on every experiment')],
    [[e('{ id: "1" }', 'READ'), e('"*"', 'EDIT')], '5', covered('EDIT on every experiment')],
    [[e('{ name: a* }', 'USE'), e('{ name: a/b }', 'READ')], '6', covered('USE on experiment named a*')],
    [[e('{ name: a* }', 'USE'), e('{ name: a/b* }', 'USE')], '6', covered('USE on experiment named a*')],
    [[e('{ name: a** }', 'USE'), e('{ name: a* }', 'USE')], '6', covered('USE on experiment named a**')],
    [[e('"*"', 'READ', '2027-02-01'), e('"*"', 'READ')], '5', covered('READ on every experiment')],
    [[e('"*"', 'DENY'), e('{ id: "1" }', 'DENY')], '6', covered('DENY on every experiment')],
    [[e('{ id: "1" }', 'READ'), e('"*"', 'DENY')], '5', beaten('DENY on every experiment')],
    [[e('"*"', 'DENY'), e('{ name: a }', 'MANAGE')], '6', beaten('DENY on every experiment')],
    [[e('{ name: a* }', 'DENY'), e('{ name: ab }', 'READ')], '6', beaten('DENY on experiment named a*')],
    [
      ['run: "*", level: DENY, expires: 2027-02-01', 'run: "*", level: READ, expires: 2027-01-20'],
      '6',
      beaten('DENY on every run'),
    ],
  ])('%j has a grant without effect', (grants, line, finding) => {
    const place = `roles[0].grants[${Number(line) - 5}]`
    expect(findings(role(...grants))).toEqual([`${line} ${place} ${finding}`])
  })

  it('has a grant that ended, and what that one covered counts again', () => {
    const grants = [e('"*"', 'EDIT', '2027-01-14'), e('{ id: "1" }', 'READ'), e('"*"', 'DENY', '2027-01-01')]
    const remedy = 'Remove the grant, or give it another end.'
    expect(findings(role(...grants))).toEqual([
      `5 roles[0].grants[0].expires has expired at 2027-01-15T00:00:00.000Z | ${remedy}`,
      `7 roles[0].grants[2].expires has expired at 2027-01-02T00:00:00.000Z | ${remedy}`,
    ])
  })

  it('has a role that nobody holds, unless somebody does by hand', () => {
    const text =
      'version: 1\nroles:\n  - name: a\n    grants: []\n  - name: b\n    grants: []\ngroups: { g: [a] }'
    const remedy = 'Give it to somebody under groups or users, or remove it.'
    expect(findings(text)).toEqual([`5 roles[1].name is b, which nobody holds | ${remedy}`])
    expect(findings(text, { heldByHand: new Set(['b']) })).toEqual([])
  })

  it('has words on workspaces while there are none', () => {
    const text =
      'version: 1\nworkspaces:\n  team-a: { default_permission: READ }\nroles:\n  - name: a\n    workspace: team-b\n    grants: []\n  - name: b\n    workspace: default\n    grants: []\nusers: { u: [a, b] }'
    const off = (name: string) =>
      `is ${name}, while WORKSPACES is off: it has no effect | Turn WORKSPACES on, or leave it out.`
    expect(
      findings(text, { setting: { ...SETTING, workspaces: { workspaces: false, upstreams: [] } } }),
    ).toEqual([`3 workspaces.team-a ${off('team-a')}`, `6 roles[0].workspace ${off('team-b')}`])
    expect(findings(text)).toEqual([])
    expect(findings(text, { setting: undefined })).toEqual([])
  })

  it('has groups of a provider that tells of none', () => {
    const text =
      'version: 1\nroles: [{ name: a, grants: [] }]\ngroups:\n  oidc:g: [a]\n  google:h: [a]\nusers: { google:u: [a] }'
    const setting = { ...SETTING, providers: [...SETTING.providers, { id: 'google' }] }
    const ids = ['oidc', 'google']
    expect(findings(text, { setting }, ids)).toEqual([
      '5 groups.google:h is a group of google, which tells of no groups: no groups claim is configured | Set its GROUPS_CLAIM if it has one, or give the role to people under users.',
    ])
    expect(findings(text, { setting: undefined }, ids)).toEqual([])
  })
})

describe('a pattern within another', () => {
  const piece = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*'), maxLength: 6 })
  const name = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 4 })

  it('matches nothing that the other does not', () => {
    fc.assert(
      fc.property(piece, piece, fc.array(name, { minLength: 6, maxLength: 6 }), (narrow, wide, fillings) => {
        fc.pre(isWithin(narrow, wide))
        let next = 0
        const sample = narrow.replaceAll('*', () => fillings[next++ % fillings.length] ?? '')
        expect(compileGlob(narrow)(sample)).toBe(true)
        expect(compileGlob(wide)(sample)).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })
})

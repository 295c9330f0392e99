/** The pages for operators and users: what they point to is there, and what they tell people to set exists. */
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { allEntries } from '../../src/config/document.ts'

const docs = new URL('../../docs/', import.meta.url)
const PAGES = [
  'hardening.md',
  'upgrade.md',
  'outages.md',
  'kubernetes.md',
  'signing-out.md',
  'tracing.md',
  'doctor.md',
  'for-users.md',
  'dependencies.md',
  '../README.md',
]
const text = (page: string) => readFileSync(new URL(page, docs), 'utf8')

const scripts = (
  JSON.parse(text('../package.json')) as { readonly scripts: Readonly<Record<string, string>> }
).scripts

describe.each(PAGES)('docs/%s', (page) => {
  it('points to files that are there', () => {
    const links = [...text(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, path = '']) => path)
    expect(links.filter((path) => !existsSync(new URL(path, new URL(page, docs))))).toEqual([])
  })

  it('names scripts that npm knows', () => {
    const named = [...text(page).matchAll(/npm run (?:-s )?([a-z:]+)/g)].map(([, name = '']) => name)
    expect(named.filter((name) => !(name in scripts))).toEqual([])
  })
})

const HEADINGS = [
  'HTTPS',
  'Authentication',
  'Roles',
  'Authorization',
  'Audit, with its size under control',
  'Network',
  'Storage and backups',
  'Containers',
  'Updates',
  'Least privilege',
  'What users should know',
  'Staging, and when something happens',
]

describe('docs/hardening.md', () => {
  const [, ...sections] = text('hardening.md').split(/^## /m)

  it('has every point of the checklist', () => {
    expect(sections.map((section) => section.split('\n')[0])).toEqual(HEADINGS)
  })

  it.each(sections.map((section) => [section.split('\n')[0] ?? '', section] as const))(
    '%s: what to do, and for all but people how to check it',
    (heading, section) => {
      expect(section).toContain('- [ ] ')
      if (heading !== 'What users should know') expect(section).toMatch(/To check:\n\n```sh\n/)
    },
  )

  it('names variables that exist, in the lists of what to do', () => {
    const known = allEntries().flatMap(({ name }) => [name, `${name}_FILE`])
    const named = [
      ...text('hardening.md').matchAll(/`((?:OIDC|GOOGLE|AUDIT|SESSION|ADMIN|METRICS|ALLOWED)_[A-Z_]+)/g),
    ]
    expect(named.length).toBeGreaterThan(10)
    expect(named.map(([, name = '']) => name).filter((name) => !known.includes(name))).toEqual([])
  })
})

import { expect, test } from 'vitest'
import { askPath } from '../../src/console/ask-link.ts'

const ROOT = new URL('https://mlflow.example.org')

test.each([
  ['x'.repeat(2000), null],
  ['ä'.repeat(200), null],
  ['\r\nset-cookie: a=b', '\r\nset-cookie: a=b'],
  ['../../x?y#z&level=MANAGE', '../../x?y#z&level=MANAGE'],
  ['\ud800', '\ufffd'],
  ['prüfung/日本', 'prüfung/日本'],
  [undefined, null],
])('a link about %j is short, ASCII and about nothing else', (key, kept) => {
  const path = askPath(ROOT, { type: 'registered_model', key, level: 'READ' })
  expect(path).toMatch(/^\/auth\/access\?[!-~]{1,1100}#ask$/)
  const { searchParams } = new URL(path, ROOT)
  expect([...searchParams.keys()].filter((name) => name !== 'key')).toEqual(['resource_type', 'level'])
  expect([searchParams.get('key'), searchParams.get('level')]).toEqual([kept, 'READ'])
})

test('a link says in which workspace it was, where they are kept apart', () => {
  const missing = { type: 'run', key: 'r1', level: 'EDIT', workspace: 'team-a' } as const
  expect(askPath(ROOT, missing)).toBe('/auth/access?resource_type=run&key=r1&workspace=team-a&level=EDIT#ask')
})

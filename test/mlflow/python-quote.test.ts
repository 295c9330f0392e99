import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { pythonQuote } from '../../src/mlflow/python-quote.ts'

/** Every character of the first plane's beginning alone, and texts that mix what is treated in different ways. */
const TEXTS = [
  ...Array.from({ length: 0x2100 }, (_, code) => String.fromCodePoint(code)),
  ...[
    '',
    'relevance',
    'a/b',
    '../1',
    '%2F',
    'a b+c',
    "it's (fine)!*",
    'é',
    'e\u0301',
    '日本',
    '🙂',
    '~_.-',
    '\u{10ffff}',
  ],
]

describe("Python's quote(name, safe='')", () => {
  it("is what Python's own says", () => {
    const script =
      "import json,sys,urllib.parse as u;print(json.dumps([u.quote(t,safe='') for t in json.load(sys.stdin)]))"
    const { stdout, stderr } = spawnSync('python3', ['-c', script], {
      input: JSON.stringify(TEXTS),
      encoding: 'utf8',
    })
    expect(stderr).toBe('')
    expect(TEXTS.map(pythonQuote)).toEqual(JSON.parse(stdout))
  })

  it('keeps two names apart that look alike once encoded', () => {
    expect(pythonQuote('a/b')).toBe('a%2Fb')
    expect(pythonQuote('a%2Fb')).toBe('a%252Fb')
    expect(pythonQuote("!'()*")).toBe('%21%27%28%29%2A')
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mayWithhold, type Withholding, withheld, withhold } from '../../src/mlflow/withhold.ts'
import type { Grant } from '../../src/policy/grants.ts'
import { accessWith, grant, lookupIn } from './examples.ts'

const SECRET = withheld('endpoint.mappings[].definition', ['secret_id', 'secret_name'], {
  row: 'gateway_secret',
})
const DEFINITION = withheld('endpoint.mappings[]', ['model_definition_id', 'definition'], {
  row: 'gateway_mapping',
})
const SCORER = withheld('configs[].guardrail.scorer', 'whole', { tier: 'scorer' })
const PASSPHRASE = withheld('', ['using_default_passphrase'], { admin: true })

async function shown(
  text: string,
  rules: readonly Withholding[],
  grants: readonly Grant[] = [],
  status = 200,
) {
  const response = { status, headers: {}, bytes: Buffer.from(text) }
  const reading = { access: accessWith(grants), lookup: lookupIn({}) }
  return (await withhold(response, rules, reading)).bytes.toString('utf8')
}

const MINE = grant('gateway_secret', 'exact', 's-mine', 'READ')
const TEAM = grant('gateway_secret', 'name', 'team-*', 'READ')
const USABLE = grant('gateway_model_definition', 'any', '*', 'READ')

describe('what the caller may not read of an answer', () => {
  it.each<[string, readonly Withholding[], readonly Grant[], string, string]>([
    [
      'is left out where it is, and nothing else',
      [SECRET],
      [MINE],
      '{"endpoint": {"mappings": [ {"w": 1.50, "definition": {"secret_id": "s-x", "n": 9007199254740993, "secret_name": "x"}} ]}}',
      '{"endpoint": {"mappings": [ {"w": 1.50, "definition": {"n": 9007199254740993}} ]}}',
    ],
    [
      'for each by itself',
      [SECRET],
      [MINE],
      '{"endpoint":{"mappings":[{"definition":{"secret_id":"s-x","secret_name":"x"}},{"definition":{"secret_id":"s-mine","secret_name":"y"}}]}}',
      '{"endpoint":{"mappings":[{"definition":{}},{"definition":{"secret_id":"s-mine","secret_name":"y"}}]}}',
    ],
    [
      'by its name too',
      [SECRET],
      [TEAM],
      '{"endpoint":{"mappings":[{"definition":{"secret_id":"s-1","secret_name":"team-1"}},{"definition":{"secret_id":"s-2","secret_name":"other"}}]}}',
      '{"endpoint":{"mappings":[{"definition":{"secret_id":"s-1","secret_name":"team-1"}},{"definition":{}}]}}',
    ],
    [
      'if it does not say what it is about',
      [SECRET],
      [MINE, TEAM],
      '{"endpoint":{"mappings":[{"definition":{"secret_name":"team-1"}},{"definition":{"secret_id":7,"a":0}}]}}',
      '{"endpoint":{"mappings":[{"definition":{}},{"definition":{"a":0}}]}}',
    ],
    [
      'the whole with what is in it',
      [SECRET, DEFINITION],
      [MINE],
      '{"endpoint":{"mappings":[{"id":1,"model_definition_id":"d-1","definition":{"secret_id":"s-x"}}]},"z":0}',
      '{"endpoint":{"mappings":[{"id":1}]},"z":0}',
    ],
    [
      'and what is in what stays',
      [SECRET, DEFINITION],
      [MINE, USABLE],
      '{"endpoint":{"mappings":[{"id":1,"model_definition_id":"d-1","definition":{"secret_id":"s-x"}}]},"z":0}',
      '{"endpoint":{"mappings":[{"id":1,"model_definition_id":"d-1","definition":{}}]},"z":0}',
    ],
    [
      'an object as a whole, where all of a kind are denied',
      [SCORER],
      [grant('scorer', 'any', '*', 'DENY')],
      '{"configs":[{"guardrail":{"scorer":{"x":1},"name":"g"}},{"guardrail":{"name":"h"}},{}]}',
      '{"configs":[{"guardrail":{"name":"g"}},{"guardrail":{"name":"h"}},{}]}',
    ],
    [
      'of the answer itself, for all but administrators',
      [PASSPHRASE],
      [],
      '{"secrets_available": true, "using_default_passphrase": true}',
      '{"secrets_available": true}',
    ],
    [
      'keys of users that differ by underscores only stay',
      [PASSPHRASE],
      [],
      '{"tags":{"a_b":1,"aB":2,"a__b":3},"using_default_passphrase":false}',
      '{"tags":{"a_b":1,"aB":2,"a__b":3}}',
    ],
    [
      'items of a list',
      [withheld('xs[]', 'whole', { admin: true })],
      [],
      '{"xs":[{"a":1},{"b":2}]}',
      '{"xs":[]}',
    ],
    [
      'what is of another kind than expected is passed over',
      [SECRET, SCORER, withheld('xs[]', 'whole', { admin: true })],
      [],
      '{"endpoint":[1],"configs":{"guardrail":1},"xs":[1,null,[{}],"x"]}',
      '{"endpoint":[1],"configs":{"guardrail":1},"xs":[1,null,[{}],"x"]}',
    ],
  ])('%s', async (_, rules, grants, answer, expected) => {
    expect(await shown(answer, rules, grants)).toBe(expected)
  })

  it.each([
    ['the first', ['a'], '{"b":2,"c":3}'],
    ['the last', ['c'], '{"a":1,"b":2}'],
    ['the middle', ['b'], '{"a":1,"c":3}'],
    ['the first two', ['a', 'b'], '{"c":3}'],
    ['the last two', ['b', 'c'], '{"a":1}'],
    ['both ends', ['a', 'c'], '{"b":2}'],
    ['all', ['a', 'b', 'c'], '{}'],
    ['none', ['d'], '{"a":1,"b":2,"c":3}'],
  ])('leaves right JSON when %s go', async (_, drop, expected) => {
    expect(await shown('{"a":1,"b":2,"c":3}', [withheld('', drop, { admin: true })])).toBe(expected)
  })

  it('leaves right JSON whatever goes', async () => {
    const keys = fc.uniqueArray(fc.stringMatching(/^[a-z_]{1,3}$/), { maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(
        keys,
        keys,
        keys,
        fc.constantFrom('', ' ', '\n  '),
        async (names, inner, drop, space) => {
          const holder = Object.fromEntries(inner.map((name) => [name, [name]]))
          const value = { ...Object.fromEntries(names.map((name) => [name, 1])), '~': [holder, 1, holder] }
          const rules = [withheld('', drop, { admin: true }), withheld('~[]', drop, { admin: true })]
          const left = (object: object) =>
            Object.fromEntries(Object.entries(object).filter(([name]) => !drop.includes(name)))
          const answer = await shown(JSON.stringify(value, null, space), rules)
          expect(JSON.parse(answer)).toEqual({ ...left(value), '~': [left(holder), 1, left(holder)] })
        },
      ),
    )
  })

  it('takes nothing out of an answer that is no success', async () => {
    const text = '{"error_code":"X","using_default_passphrase":1}'
    expect(await shown(text, [PASSPHRASE], [], 404)).toBe(text)
  })

  it.each(['', 'x', '[]', '"x"', '{"a":1', '{"a":1,"a":2}'])(
    'does not let an answer leave that it cannot read: %s',
    async (text) => {
      await expect(shown(text, [PASSPHRASE])).rejects.toMatchObject({ code: 'ERR_UPSTREAM_INVALID' })
    },
  )
})

describe('whether an answer has to be read at all', () => {
  it.each<[string, readonly Withholding[], readonly Grant[], boolean]>([
    ['without rules', [], [], false],
    ['a right on everything shows all', [SECRET], [grant('gateway_secret', 'any', '*', 'READ')], false],
    [
      'unless something is denied',
      [SECRET],
      [grant('gateway_secret', 'any', '*', 'READ'), grant('gateway_secret', 'exact', 's', 'DENY')],
      true,
    ],
    ['no right', [SECRET], [], true],
    ['a sub-resource of which nobody speaks', [SCORER], [], false],
    ['that may be read', [SCORER], [grant('scorer', 'any', '*', 'READ')], false],
    ['that is denied', [SCORER], [grant('scorer', 'any', '*', 'DENY')], true],
    ['administrators alone', [PASSPHRASE], [], true],
  ])('%s', (_, rules, grants, expected) => {
    expect(mayWithhold(rules, accessWith(grants))).toBe(expected)
  })
})

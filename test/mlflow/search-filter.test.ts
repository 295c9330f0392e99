import { describe, expect, it } from 'vitest'
import { idsComparedWith, readFilter } from '../../src/mlflow/search-filter.ts'

describe('readFilter', () => {
  it.each([
    ['', []],
    ['  \n', []],
    ["run_id = 'a'", [['run_id', ['a']]]],
    [`run_id="a"`, [['run_id', ['a']]]],
    ["run_id = ''", [['run_id', ['']]]],
    ['attributes.run_id IN (\'a\' , "b")', [['attributes.run_id', ['a', 'b']]]],
    ["run_id in('a')", [['run_id', ['a']]]],
    [
      "metadata.`mlflow.sourceRun`='a'AND x != 'b'",
      [
        ['metadata.mlflow.sourceRun', ['a']],
        ['x', undefined],
      ],
    ],
    ['`a`."b c" like \'%\'', [['a.b c', undefined]]],
    ["run_id NOT  IN ('a')", [['run_id', undefined]]],
    [
      'metrics.acc > 0.5 and tags.x is not null',
      [
        ['metrics.acc', undefined],
        ['tags.x', undefined],
      ],
    ],
    ['run_id = 5', [['run_id', undefined]]],
    ["name = 'it is run_id = ''?'", undefined],
  ])('%s', (text, expected) => {
    expect(readFilter(text)?.map(({ name, values }) => [name, values])).toEqual(expected)
  })

  it.each([
    ["run_id = 'a' OR run_id = 'b'"],
    ["NOT run_id = 'a'"],
    ["(run_id = 'a')"],
    ["run_id = 'a' --"],
    ["/**/run_id = 'a'"],
    ["run_id = 'a'; run_id = 'b'"],
    ["run_id = 'a''b'"],
    ["run_id = 'a\\'b'"],
    ["run_id = ('a', ('b'))"],
    ["run_id IN ('a' 'b')"],
    ["run_id IN ('a',)"],
    ['run_id IN ()'],
    ["run_id IN 'a'"],
    ["run_idIN ('a')"],
    ["'run_id' = 'a'"],
    ["attributes . run_id = 'a'"],
    ["attributes.'run_id' = 'a'"],
    ["run_id = b'a'"],
    ["run_id = 'a"],
    ['run_id'],
    ["'a' = run_id"],
    ["run_id = 'a' AND"],
    ["run_id = 'a' ANDx = 'b'"],
    ["run_id == 'a'"],
    ["run_id <> 'a'"],
    ["run_id BETWEEN 'a' AND 'b'"],
    ['run_id DESC'],
  ])('does not read %s', (text) => {
    const read = readFilter(text)
    // `IN 'a'` is a comparison of ours, with no list in it: with no ids.
    if (read !== undefined) expect(read.every(({ values }) => values === undefined)).toBe(true)
  })

  it('takes no longer for what is long', () => {
    const long = ['a'.repeat(1e6), ' '.repeat(1e6), `a${' '.repeat(1e6)}`, `a = '${'x'.repeat(1e6)}`]
    const lists = [`a IN ('x'${", 'x'".repeat(1e5)}`, `a${'.a'.repeat(5e5)}`, `a${'`'.repeat(1e6)}`]
    const started = performance.now()
    for (const text of [...long, ...lists]) readFilter(text)
    expect(performance.now() - started).toBeLessThan(5000)
  })
})

describe('idsComparedWith', () => {
  const FIELDS = ['run_id', 'mlflow.sourcerun']

  it.each([
    ["name = 'x'", []],
    ["name = 'about run_id'", []],
    ["run_id = 'a' AND attributes.run_id IN ('b', 'c')", ['a', 'b', 'c']],
    ["tags.RUN_ID = 'a'", ['a']],
    ["metadata.mlflow.sourceRun = 'a'", ['a']],
    ["request_metadata.`mlflow.sourceRun` = 'a'", ['a']],
    ['"`run_id`" = \'a\'', ['a']],
    ["tags.run_id_of = 'a'", []],
    // Not read, and without the field's name in it.
    ['name = $$', []],
    ['timestamp_ms DESC', []],
  ])('%s', (text, expected) => {
    expect(idsComparedWith([text], FIELDS)).toEqual(expected)
  })

  it.each([
    ["run_id != 'a'"],
    ["run_id LIKE 'a%'"],
    ["run_id ILIKE 'a'"],
    ["run_id NOT IN ('a')"],
    ["run_id = 'a' AND run_id > 'b'"],
    ['metadata.mlflow.sourceRun IS NOT NULL'],
    ["name = 'x' OR run_id = 'a'"],
    ["run_id = 'a' /* */"],
    ["(run_id) = 'a'"],
    ['run_id DESC'],
    ['attributes.`run_id`'],
    ["run_id = 'a\\' OR 'b"],
  ])('refuses %s', (text) => {
    expect(() => idsComparedWith(["name = 'x'", text], FIELDS)).toThrow(/can be judged/)
  })
})

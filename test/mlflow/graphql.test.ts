import { describe, expect, it } from 'vitest'
import { isGatewayError } from '../../src/errors.ts'
import { filterVersions, readGraphql } from '../../src/mlflow/graphql.ts'

function refusal(body: Readonly<Record<string, unknown>>): string | undefined {
  try {
    readGraphql(body)
    return undefined
  } catch (fault) {
    if (!isGatewayError(fault)) throw fault
    return fault.code
  }
}

const fieldsOf = (query: string, variables?: unknown) => readGraphql({ query, variables }).fields
const RUN = 'run{info{runName}}'

describe('field report 13: what a GraphQL query asks for', () => {
  it.each<[string, string, object | undefined, object[]]>([
    [
      'inline',
      `{mlflowGetRun(input:{runId:"ra"}){${RUN}}}`,
      undefined,
      [{ twin: 'runs.get', args: { runId: 'ra' } }],
    ],
    [
      'by alias',
      `query Q{x:mlflowGetRun(input:{runId:"ra"}){${RUN}}}`,
      undefined,
      [{ twin: 'runs.get', args: { runId: 'ra' } }],
    ],
    [
      'by variable',
      `query($i:I!){mlflowGetRun(input:$i){${RUN}}}`,
      { i: { runId: 'ra' } },
      [{ twin: 'runs.get', args: { runId: 'ra' } }],
    ],
    [
      'by a variable within',
      `query($r:String){mlflowGetRun(input:{runId:$r}){${RUN}}}`,
      { r: 'ra' },
      [{ twin: 'runs.get', args: { runId: 'ra' } }],
    ],
    [
      'by default',
      `query($r:String="rb"){mlflowGetRun(input:{runId:$r}){${RUN}}}`,
      {},
      [{ twin: 'runs.get', args: { runId: 'rb' } }],
    ],
    [
      'not by default when given',
      `query($r:String="rb"){mlflowGetRun(input:{runId:$r}){${RUN}}}`,
      { r: 'ra' },
      [{ twin: 'runs.get', args: { runId: 'ra' } }],
    ],
    [
      'not by default when null',
      `query($r:String="rb"){mlflowGetRun(input:{runId:$r}){${RUN}}}`,
      { r: null },
      [{ twin: 'runs.get', args: { runId: null } }],
    ],
    [
      'not by a variable that is not declared',
      `query{mlflowGetRun(input:{runId:$r}){${RUN}}}`,
      { r: 'ra' },
      [{ twin: 'runs.get', args: {} }],
    ],
    [
      'whether a directive would leave it out or not',
      `{mlflowGetRun(input:{runId:"ra"}) @skip(if:true){${RUN}}}`,
      undefined,
      [{ twin: 'runs.get', args: { runId: 'ra' } }],
    ],
    [
      'in escapes',
      `{mlflowGetRun(input:{runId:"r\\u0061"}){${RUN}}}`,
      undefined,
      [{ twin: 'runs.get', args: { runId: 'ra' } }],
    ],
    [
      'of several fields',
      `{a:mlflowGetRun(input:{runId:"ra"}){${RUN}} b:mlflowGetExperiment(input:{experimentId:"2"}){experiment{name}} __typename}`,
      undefined,
      [
        { twin: 'runs.get', args: { runId: 'ra' } },
        { twin: 'experiments.get', args: { experimentId: '2' } },
      ],
    ],
    [
      'in a mutation',
      '{mlflowSearchDatasets(input:{experimentIds:["1"]}){datasetSummaries{name}}}',
      undefined,
      [{ twin: 'datasets.search_of_runs', args: { experimentIds: ['1'] } }],
    ],
  ])('%s', (_, query, variables, fields) => {
    expect(fieldsOf(query, variables)).toEqual(fields)
  })

  // MLflow would read nothing for `$experimentId`, and take that for the default experiment.
  it('is not what another variable lends', () => {
    const query =
      'query($__proto__:I,$experimentId:S){a:mlflowGetExperiment(input:$__proto__){x} b:mlflowGetExperiment(input:{experimentId:$experimentId}){x}}'
    const variables = JSON.parse('{"__proto__":{"experimentId":"1"}}')
    expect(fieldsOf(query, variables)).toEqual([
      { twin: 'experiments.get', args: { experimentId: '1' } },
      { twin: 'experiments.get', args: {} },
    ])
  })

  it.each([
    ['no document', {}],
    ['a document that is no string', { query: ['{a}'] }],
    ['what cannot be parsed', { query: '{' }],
    ['nothing', { query: '{__typename}' }],
    ['introspection', { query: '{__schema{types{name}}}' }],
    ['introspection of one type', { query: '{__type(name:"Query"){fields{name}}}' }],
    ['the test field', { query: '{test(inputString:"x"){output}}' }],
    ['every model version', { query: '{mlflowSearchModelVersions(input:{}){modelVersions{name}}}' }],
    ['a field of every object', { query: '{constructor(input:{}){a}}' }],
    ['a field that is not known', { query: '{mlflowDeleteEverything(input:{}){a}}' }],
    [
      'two operations',
      { query: '{mlflowGetRun(input:{runId:"ra"}){x}} query B{mlflowGetRun(input:{runId:"rb"}){x}}' },
    ],
    ['a fragment', { query: '{mlflowGetRun(input:{runId:"ra"}){...F}} fragment F on R{x}' }],
    ['a fragment first', { query: 'fragment F on Query{x} {...F}' }],
    ['an inline fragment', { query: '{... on Query{mlflowGetRun(input:{runId:"rb"}){x}}}' }],
    [
      'an inline fragment further down',
      { query: '{mlflowGetRun(input:{runId:"ra"}){run{... on R{modelVersions{source}}}}}' },
    ],
    ['no input', { query: '{mlflowGetRun{x}}' }],
    ['input that is no object', { query: '{mlflowGetRun(input:"ra"){x}}' }],
    ['another argument', { query: '{mlflowGetRun(run:{runId:"ra"}){x}}' }],
    ['a second argument', { query: '{mlflowGetRun(input:{runId:"ra"},x:1){x}}' }],
    ['an argument twice', { query: '{mlflowGetRun(input:{runId:"ra"},input:{runId:"rb"}){x}}' }],
    ['a field of the input twice', { query: '{mlflowGetRun(input:{runId:"ra",runId:"rb"}){x}}' }],
    ['a variable twice', { query: 'query($r:S="ra",$r:S="rb"){mlflowGetRun(input:{runId:$r}){x}}' }],
    [
      'variables that are a list',
      { query: 'query($r:S){mlflowGetRun(input:{runId:$r}){x}}', variables: ['ra'] },
    ],
    [
      'variables that are a string',
      { query: '{mlflowGetRun(input:{runId:"ra"}){x}}', variables: '{"r":"rb"}' },
    ],
    [
      'a variable input that is null',
      { query: 'query($i:I){mlflowGetRun(input:$i){x}}', variables: { i: null } },
    ],
    ['more words than anybody needs', { query: `{${'a '.repeat(5000)}}` }],
    ['deep nesting', { query: `{mlflowGetRun(input:{runId:"ra"})${'{a'.repeat(20)}${'}'.repeat(20)}}` }],
    ['very deep nesting', { query: '{a'.repeat(1400) }],
    ['a subscription', { query: 'subscription{x}' }],
    ['a type definition', { query: 'type Query{a:Int}' }],
  ])('is refused: %s', (_, body) => {
    expect(refusal(body)).toBe('ERR_AMBIGUOUS_REQUEST')
  })
})

describe('model versions in an answer', () => {
  const pathsOf = (selection: string) =>
    readGraphql({ query: `{mlflowGetRun(input:{runId:"ra"}){${selection}}}` }).versionPaths

  it.each([
    ['run{modelVersions{name version}}', [['mlflowGetRun', 'run', 'modelVersions']]],
    ['r:run{v:modelVersions{name}}', [['mlflowGetRun', 'r', 'v']]],
    [
      'run{a:modelVersions{name} b:modelVersions{name}}',
      [
        ['mlflowGetRun', 'run', 'a'],
        ['mlflowGetRun', 'run', 'b'],
      ],
    ],
    ['run{info{runName}}', []],
  ])('are found in %s', (selection, paths) => {
    expect(pathsOf(selection)).toEqual(paths)
  })

  it.each([
    'run{modelVersions{version source}}',
    'run{modelVersions{n:name}}',
    'run{modelVersions{name:source}}',
    'run{modelVersions{name name:source}}',
    'run{modelVersions{name @skip(if:true)}}',
    'run{modelVersions{name} modelVersions{source}}',
  ])('must show their name under that name: %s', (selection) => {
    expect(refusal({ query: `{mlflowGetRun(input:{runId:"ra"}){${selection}}}` })).toBe(
      'ERR_AMBIGUOUS_REQUEST',
    )
  })

  const filtered = async (data: unknown, ...paths: string[][]) => {
    const answer = { data }
    await filterVersions(answer, paths, async (name) => name === 'mine')
    return answer.data
  }

  it('are left out if they may not be read, wherever they are', async () => {
    const versions = () => [
      { name: 'mine' },
      { name: 'theirs' },
      { version: 1 },
      null,
      'x',
      { name: ['mine'] },
    ]
    expect(
      await filtered({ a: { runs: [{ v: versions() }, { v: [] }, { v: versions() }] } }, ['a', 'runs', 'v']),
    ).toEqual({
      a: { runs: [{ v: [{ name: 'mine' }] }, { v: [] }, { v: [{ name: 'mine' }] }] },
    })
  })

  it.each([
    [null, null],
    [{ a: null }, { a: null }],
    [{ a: { v: null } }, { a: { v: null } }],
    [{ a: { v: { name: 'theirs' } } }, { a: { v: null } }],
    [{ a: { v: 'theirs' } }, { a: { v: null } }],
    [{ a: {} }, { a: {} }],
  ])('are nothing where the answer is another one: %j', async (data, expected) => {
    expect(await filtered(data, ['a', 'v'])).toEqual(expected)
  })
})

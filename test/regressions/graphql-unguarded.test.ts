/**
 * The attack: the same questions by GraphQL, which ran unprotected beside a protected REST API unless a variable was set
 * (field report 13). Aliases, variables, fragments, several operations, introspection; nested rows that no root field
 * names. Every root field is judged as its REST twin; what is not known is refused, and one refusal refuses all.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RUN_A, RUN_B } from '../support/mlflow-stand-in.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

const AMBIGUOUS = '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST'
const INVALID = '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER'
const DENIED = '403 PERMISSION_DENIED no_grant'

const ask = (json: unknown, as: 'reader' | 'admin' | 'outsider' = 'reader') =>
  gateway.ask({ method: 'POST', target: '/graphql', json, as })

const run = (id: string) => `mlflowGetRun(input:{runId:"${id}"}){run{info{runName}}}`
const experiment = (id: string) => `mlflowGetExperiment(input:{experimentId:"${id}"}){experiment{name}}`

describe("field report 13: a thing of somebody else's", () => {
  it.each([
    ['plain', { query: `{${run(RUN_B)}}` }],
    ['beside one of ours', { query: `{${experiment('1')} ${run(RUN_B)}}` }],
    ['under an alias', { query: `{a:${experiment('1')} b:${run(RUN_B)}}` }],
    ['under the alias of another field', { query: `{mlflowGetExperiment:${run(RUN_B)}}` }],
    ['twice under one alias', { query: `{a:${run(RUN_A)} a:${run(RUN_B)}}` }],
    [
      'by a variable',
      {
        query: 'query($i:MlflowGetRunInput){mlflowGetRun(input:$i){run{info{runName}}}}',
        variables: { i: { runId: RUN_B } },
      },
    ],
    [
      'by a variable inside',
      {
        query: 'query($i:String){mlflowGetRun(input:{runId:$i}){run{info{runName}}}}',
        variables: { i: RUN_B },
      },
    ],
    [
      'by a default',
      { query: `query($i:String="${RUN_B}"){mlflowGetRun(input:{runId:$i}){run{info{runName}}}}` },
    ],
    [
      'by a default, with another variable given',
      {
        query: `query($i:String="${RUN_B}"){mlflowGetRun(input:{runId:$i}){run{info{runName}}}}`,
        variables: { I: RUN_A },
      },
    ],
    ['by runUuid', { query: `{mlflowGetRun(input:{runUuid:"${RUN_B}"}){run{info{runName}}}}` }],
    [
      'in a mutation',
      { query: `mutation{mlflowSearchRuns(input:{experimentIds:["2"]}){runs{info{runName}}}}` },
    ],
    ['in a list', { query: '{mlflowSearchRuns(input:{experimentIds:["1","2"]}){runs{info{runName}}}}' }],
    [
      'in a list of runs',
      {
        query: `{mlflowGetMetricHistoryBulkInterval(input:{runIds:["${RUN_A}","${RUN_B}"],metricKey:"m"}){metrics{value}}}`,
      },
    ],
    ['its files', { query: `{mlflowListArtifacts(input:{runId:"${RUN_B}"}){files{path}}}` }],
    [
      'its datasets',
      { query: 'mutation{mlflowSearchDatasets(input:{experimentIds:["2"]}){datasetSummaries{name}}}' },
    ],
    [
      'skipped, they say',
      {
        query: `query($s:Boolean!){${run(RUN_B).replace('{run{', '@skip(if:$s){run{')}}`,
        variables: { s: false },
      },
    ],
    [
      'skipped for good',
      { query: `{${experiment('1')} ${run(RUN_B).replace('{run{', '@include(if:false){run{')}}` },
    ],
    ['in a block string', { query: `{mlflowGetRun(input:{runId:"""${RUN_B}"""}){run{info{runName}}}}` }],
    [
      'with escapes',
      { query: `{mlflowGetRun(input:{runId:"\\u0062${RUN_B.slice(1)}"}){run{info{runName}}}}` },
    ],
    ['behind commas and a comment', { query: `{,,,#x\n${run(RUN_B)},,}` }],
  ])('%s: the whole is refused', async (_, json) => {
    const { line, reached } = await ask(json)
    expect([line, reached]).toEqual([DENIED, []])
    const outsider = await ask(json, 'outsider')
    expect([outsider.line, outsider.reached]).toEqual([DENIED, []])
  })
})

describe('a document that is not read in one way', () => {
  it.each([
    ['introspection', { query: '{__schema{types{name}}}' }],
    ['introspection of a type', { query: '{__type(name:"Query"){name}}' }],
    ['introspection under an alias', { query: '{mlflowGetRun:__schema{types{name}}}' }],
    ['nothing but a type name', { query: '{__typename}' }],
    ['the test field', { query: '{test(inputString:"x"){output}}' }],
    ['the test mutation', { query: 'mutation{testMutation(inputString:"x"){output}}' }],
    ['a search without a scope', { query: '{mlflowSearchModelVersions(input:{}){modelVersions{name}}}' }],
    ['a field that is not known', { query: `{mlflowGetRuns(input:{runId:"${RUN_A}"}){x}}` }],
    ["a field called as the language's own", { query: `{constructor(input:{runId:"${RUN_A}"}){x}}` }],
    ['a fragment', { query: `query{...f} fragment f on Query{${run(RUN_B)}}` }],
    ['an inline fragment', { query: `{...{${run(RUN_B)}}}` }],
    ['an inline fragment of a type', { query: `{...on Query{${run(RUN_B)}}}` }],
    ['a nested fragment', { query: `{mlflowGetRun(input:{runId:"${RUN_A}"}){run{...{info{runName}}}}}` }],
    ['two operations', { query: `query a{${run(RUN_A)}} query b{${run(RUN_B)}}`, operationName: 'b' }],
    ['two without a name', { query: `{${run(RUN_A)}} {${run(RUN_B)}}` }],
    ['a subscription beside', { query: `query a{${run(RUN_A)}} subscription b{${run(RUN_B)}}` }],
    [
      'an argument twice',
      { query: `{mlflowGetRun(input:{runId:"${RUN_A}"},input:{runId:"${RUN_B}"}){run{info{runName}}}}` },
    ],
    [
      'a field of it twice',
      { query: `{mlflowGetRun(input:{runId:"${RUN_A}",runId:"${RUN_B}"}){run{info{runName}}}}` },
    ],
    [
      'a field of it under both spellings',
      { query: `{mlflowGetRun(input:{runId:"${RUN_A}",run_id:"${RUN_B}"}){run{info{runName}}}}` },
    ],
    [
      'a variable twice',
      {
        query: `query($i:String="${RUN_A}",$i:String="${RUN_B}"){mlflowGetRun(input:{runId:$i}){run{info{runName}}}}`,
      },
    ],
    [
      'two names of a run',
      { query: `{mlflowGetRun(input:{runId:"${RUN_A}",runUuid:"${RUN_B}"}){run{info{runName}}}}` },
    ],
    ['no argument', { query: '{mlflowGetRun{run{info{runName}}}}' }],
    ['another argument', { query: `{mlflowGetRun(inputs:{runId:"${RUN_A}"}){run{info{runName}}}}` }],
    ['no document', {}],
    ['an empty document', { query: '' }],
    ['a list of documents', { query: [`{${run(RUN_A)}}`] }],
    ['a document in a document', { query: { query: `{${run(RUN_A)}}` } }],
    [
      'variables in a string',
      {
        query: `query($i:String){mlflowGetRun(input:{runId:$i}){run{info{runName}}}}`,
        variables: JSON.stringify({ i: RUN_A }),
      },
    ],
    [
      'a variable that is null',
      {
        query: 'query($i:MlflowGetRunInput){mlflowGetRun(input:$i){run{info{runName}}}}',
        variables: { i: null },
      },
    ],
    ['a document that is none', { query: '{mlflowGetRun(' }],
    [
      'a document over all bounds',
      { query: `{${Array.from({ length: 900 }, (_, index) => `a${index}:${run(RUN_A)}`).join('')}}` },
    ],
    [
      'a document that goes down for ever',
      { query: `{mlflowGetRun(input:{runId:"${RUN_A}"})${'{run'.repeat(500)}${'}'.repeat(501)}` },
    ],
    [
      'versions without their name',
      { query: `{mlflowGetRun(input:{runId:"${RUN_A}"}){run{modelVersions{version}}}}` },
    ],
    [
      "versions under another's name",
      { query: `{mlflowGetRun(input:{runId:"${RUN_A}"}){run{modelVersions{name:version}}}}` },
    ],
    [
      'versions whose name is renamed',
      { query: `{mlflowGetRun(input:{runId:"${RUN_A}"}){run{modelVersions{n:name}}}}` },
    ],
    [
      'versions whose name may be skipped',
      { query: `{mlflowGetRun(input:{runId:"${RUN_A}"}){run{modelVersions{name@skip(if:true) version}}}}` },
    ],
    [
      'versions with a name in a fragment',
      { query: `{mlflowGetRun(input:{runId:"${RUN_A}"}){run{modelVersions{...{name}}}}}` },
    ],
  ])('%s', async (_, json) => {
    for (const as of ['reader', 'admin'] as const) {
      const { line, reached } = await ask(json, as)
      expect([as, line, reached]).toEqual([as, AMBIGUOUS, []])
    }
  })

  it.each([
    ['a number for an id', { query: '{mlflowGetExperiment(input:{experimentId:1}){experiment{name}}}' }],
    ['a list for an id', { query: '{mlflowGetExperiment(input:{experimentId:["1"]}){experiment{name}}}' }],
    ['an id for a list', { query: '{mlflowSearchRuns(input:{experimentIds:"1"}){runs{info{runName}}}}' }],
    ['an id in another spelling', { query: `{${experiment('01')}}` }],
    ['an id with a blank', { query: `{${experiment(' 1')}}` }],
    ['no id', { query: '{mlflowGetExperiment(input:{}){experiment{name}}}' }],
    [
      'an id by a variable that is not given',
      { query: 'query($i:String){mlflowGetExperiment(input:{experimentId:$i}){experiment{name}}}' },
    ],
    ['no experiments', { query: '{mlflowSearchRuns(input:{experimentIds:[]}){runs{info{runName}}}}' }],
  ])('%s', async (_, json) => {
    const { status, reached } = await ask(json)
    expect([status === 400 || status === 403, reached]).toEqual([true, []])
  })

  it('says which, for an id', async () => {
    expect((await ask({ query: `{${experiment('01')}}` })).line).toBe(INVALID)
  })

  it.each([
    ['an array', [{ query: `{${experiment('1')}}` }]],
    ['a string', `{"query":"{x}"}`],
  ])('batches are none: %s', async (_, json) => {
    const { line, reached } = await ask(json)
    expect([line, reached]).toEqual([AMBIGUOUS, []])
  })

  it('the query of the request line is not its query', async () => {
    const target = `/graphql?query=${encodeURIComponent(`{${experiment('1')}}`)}`
    const refused = await gateway.ask({ target, as: 'reader' })
    expect([refused.line, refused.reached]).toEqual([AMBIGUOUS, []])
    const json = { query: `{${experiment('1')}}` }
    const { line, reached } = await gateway.ask({
      method: 'POST',
      target: `/graphql?query={${run(RUN_B)}}`,
      json,
      as: 'reader',
    })
    expect([line, reached]).toEqual(['200 allow', ['POST /graphql']])
  })
})

describe('what is allowed', () => {
  it('is forwarded byte for byte', async () => {
    const json = {
      query: `query q{a:${experiment('1')} b:${run(RUN_A)}}`,
      variables: { x: 1 },
      operationName: 'q',
    }
    const { line, forwarded } = await ask(json)
    expect([line, forwarded.map(({ body }) => body.toString())]).toEqual([
      '200 allow',
      [JSON.stringify(json)],
    ])
  })

  it('loses the versions of models that may not be read, however deep and under whatever alias', async () => {
    const versions = [
      { name: 'beta-model' },
      { name: 'alpha-model' },
      { name: 'nobody' },
      {},
      null,
      { name: 1 },
    ]
    const query = `{a:mlflowSearchRuns(input:{experimentIds:["1"]}){runs{mv:modelVersions{name} modelVersions{name version}}}
      b:mlflowGetRun(input:{runId:"${RUN_A}"}){run{modelVersions{name}}}}`
    gateway.script({
      'POST /graphql': {
        body: {
          data: {
            a: {
              runs: [{ mv: versions, modelVersions: versions }, { mv: versions, modelVersions: null }, null],
            },
            b: { run: { modelVersions: versions } },
          },
        },
      },
    })
    const kept = [{ name: 'alpha-model' }]
    expect(JSON.parse((await ask({ query })).text)).toEqual({
      data: {
        a: { runs: [{ mv: kept, modelVersions: kept }, { mv: kept, modelVersions: null }, null] },
        b: { run: { modelVersions: kept } },
      },
    })
    gateway.script({
      'POST /graphql': { body: { data: { b: { run: { modelVersions: { name: 'beta-model' } } } } } },
    })
    const odd = await ask({ query: `{b:mlflowGetRun(input:{runId:"${RUN_A}"}){run{modelVersions{name}}}}` })
    expect(JSON.parse(odd.text)).toEqual({ data: { b: { run: { modelVersions: null } } } })
  })
})

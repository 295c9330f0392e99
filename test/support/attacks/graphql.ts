import type { Attacks } from './attack.ts'

export const GRAPHQL: Attacks = {
  of: '§6, GraphQL',
  attacks: [
    [
      'a run',
      ({ B }) => ({
        method: 'POST',
        target: '/graphql',
        json: { query: `{ mlflowGetRun(input: {runId: "${B.run}"}) { run { info { runName } } } }` },
      }),
      '403 PERMISSION_DENIED no_grant',
      '200 seen',
    ],
    [
      "a run under an alias, beside one's own",
      ({ A, B }) => ({
        method: 'POST',
        target: '/graphql',
        json: {
          query: `{ a: mlflowGetRun(input: {runId: "${A.run}"}) { run { info { runName } } } b: mlflowGetRun(input: {runId: "${B.run}"}) { run { info { runName } } } }`,
        },
      }),
      '403 PERMISSION_DENIED no_grant',
      '200 seen',
    ],
    [
      'a run by a variable',
      ({ B }) => ({
        method: 'POST',
        target: '/graphql',
        json: {
          query: `query q($id: String) { mlflowGetRun(input: {runId: $id}) { run { info { runName } } } }`,
          variables: { id: B.run },
        },
      }),
      '403 PERMISSION_DENIED no_grant',
      '200 seen',
    ],
    [
      'two ids of one run',
      ({ A, B }) => ({
        method: 'POST',
        target: '/graphql',
        json: {
          query: `{ mlflowGetRun(input: {runId: "${B.run}", runUuid: "${A.run}"}) { run { info { runName } } } }`,
        },
      }),
      '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
      '200 seen',
    ],
    [
      'a run in a fragment',
      ({ B }) => ({
        method: 'POST',
        target: '/graphql',
        json: {
          query: `{ ...f } fragment f on Query { mlflowGetRun(input: {runId: "${B.run}"}) { run { info { runName } } } }`,
        },
      }),
      '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
      '200 seen',
    ],
    [
      'the second of two operations',
      ({ A, B }) => ({
        method: 'POST',
        target: '/graphql',
        json: {
          query: `query a { mlflowGetRun(input: {runId: "${A.run}"}) { run { info { runName } } } } query b { mlflowGetRun(input: {runId: "${B.run}"}) { run { info { runName } } } }`,
          operationName: 'b',
        },
      }),
      '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
      '200 seen',
    ],
    [
      'a GET with a body',
      ({ B }) => ({
        target: '/graphql',
        json: { query: `{ mlflowGetRun(input: {runId: "${B.run}"}) { run { info { runName } } } }` },
      }),
      '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
      '200 seen',
    ],
    [
      'every version',
      () => ({
        method: 'POST',
        target: '/graphql',
        json: { query: `{ mlflowSearchModelVersions(input: {}) { modelVersions { name source } } }` },
      }),
      '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
      '200 seen',
    ],
    [
      'the schema',
      () => ({
        method: 'POST',
        target: '/graphql',
        json: { query: `{ __schema { queryType { name } } }` },
      }),
      '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
      '200',
    ],
  ],
}

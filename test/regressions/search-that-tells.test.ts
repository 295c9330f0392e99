/**
 * The attack: a search whose rows may all be seen, which tells by the rows that come back what may not. A version of a
 * readable model may come from a run in an unreadable experiment, a trace too: `run_id LIKE 'a%'` finds that run out
 * letter by letter, a sort key by the order, a count without any row. What a filter says of such a field must be an id
 * that the caller may read, and what cannot be read like everybody reads it is refused.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { A, B, MODEL_A, MODEL_B, RUN_A, RUN_B } from '../support/mlflow-stand-in.ts'
import type { Ask } from '../support/spoken-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import type { MemberName } from '../support/test-members.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

const V2 = '/api/2.0/mlflow'
const V3 = '/api/3.0/mlflow'
const DENIED = '403 PERMISSION_DENIED no_grant'
const NOT_JUDGED = '403 PERMISSION_DENIED filter_not_judged'
const INVALID = '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER'
const ALLOWED = '200 allow'

const locations = [{ type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id: A } }]

/** Every search that can be told what to select on, with the field that leads to a run. */
const SEARCHES: readonly (readonly [what: string, field: string, ask: (filter: string) => Ask])[] = [
  ...(['GET', 'HEAD'] as const).map(
    (method) =>
      [
        `versions by ${method}`,
        'run_id',
        (filter: string) => ({
          ...{ method, target: `${V2}/model-versions/search?filter=${encodeURIComponent(filter)}` },
        }),
      ] as const,
  ),
  [
    'logged models',
    'source_run_id',
    (filter) => ({
      ...{ method: 'POST', target: `${V2}/logged-models/search`, json: { experiment_ids: [A], filter } },
    }),
  ],
  [
    'traces',
    'run_id',
    (filter) => ({ method: 'POST', target: `${V3}/traces/search`, json: { locations, filter } }),
  ],
  [
    'traces by GET',
    'run_id',
    (filter) => ({ target: `${V2}/traces?experiment_ids=${A}&filter=${encodeURIComponent(filter)}` }),
  ],
  [
    'counts of traces',
    'trace.metadata.`mlflow.sourceRun`',
    (filter) => ({
      ...{ method: 'POST', target: `${V3}/traces/metrics` },
      json: {
        experiment_ids: [A],
        view_type: 'TRACES',
        metric_name: 'trace_count',
        filters: ['a = 1', filter],
      },
    }),
  ],
  ...(['filter_string1', 'filter_string2', 'base_filter', 'baseFilter'] as const).map(
    (name) =>
      [
        `correlations by ${name}`,
        'run_id',
        (filter: string) => ({
          ...{ method: 'POST', target: `${V3}/traces/calculate-filter-correlation` },
          json: { experiment_ids: [A], [name]: filter },
        }),
      ] as const,
  ),
  [
    'issues',
    'source_run_id',
    (filter) => ({
      ...{ method: 'POST', target: `${V3}/issues/search`, json: { experiment_id: A, filter_string: filter } },
    }),
  ],
]

describe.each(SEARCHES)('a search of %s', (_, field, ask) => {
  const line = async (filter: string, as: MemberName) => {
    const { status, code, event, reached } = await gateway.ask({ ...ask(filter), as })
    if (event?.effect === 'allow') return `${status} allow`
    expect(reached).toEqual([])
    // Of a refusal to a HEAD there is no body.
    return [status, code || 'PERMISSION_DENIED', event?.reason]
      .join(' ')
      .replace('400 PERMISSION_DENIED', '400 INVALID_PARAMETER_VALUE')
  }

  it.each([
    ["by one's own run", `${field} = '${RUN_A}'`, ALLOWED],
    ['by nothing', '', ALLOWED],
    ['by its own fields', "name = 'x' AND tags.`run` LIKE '%x%'", ALLOWED],
    ["by somebody else's run", `${field} = '${RUN_B}'`, DENIED],
    ['by a run that nobody has', `${field} = '${'c'.repeat(32)}'`, DENIED],
    ['by both', `${field} IN ('${RUN_A}', "${RUN_B}")`, DENIED],
    ["by somebody else's beside others", `name = 'x' and ${field}='${RUN_B}'AND name = 'y'`, DENIED],
    ['by the beginning of a run', `${field} LIKE 'b%'`, NOT_JUDGED],
    ['by a run in any case', `${field} ILIKE '${RUN_A}'`, NOT_JUDGED],
    ['by all runs but one', `${field} != '${RUN_A}'`, NOT_JUDGED],
    ['by runs that come later', `${field} > 'b'`, NOT_JUDGED],
    ['by all but some', `${field} NOT IN ('${RUN_A}')`, NOT_JUDGED],
    ['by either', `${field} = '${RUN_A}' OR ${field} = '${RUN_B}'`, NOT_JUDGED],
    ['behind a comment', `/* */ ${field} = '${RUN_B}'`, NOT_JUDGED],
    ['behind a comment that hides one’s own', `${field} = '${RUN_A}' -- \n AND ${field} = 'b'`, NOT_JUDGED],
    ['in brackets', `(${field} = '${RUN_B}')`, NOT_JUDGED],
    ['with a quote in the text', `name = 'it''s' AND ${field} = '${RUN_B}'`, NOT_JUDGED],
    ['with a backslash in the text', `name = '\\' AND ${field} = '${RUN_B}' AND name = ''`, NOT_JUDGED],
    ['by nothing at all', `${field} = ''`, INVALID],
    ['by a pattern as an id', `${field} = '%'`, INVALID],
  ])('%s', async (_, filter, expected) => {
    expect(await line(filter, 'reader')).toBe(expected)
    expect(await line(filter, 'admin')).toBe(ALLOWED)
  })
})

describe('a trace’s run under other names', () => {
  it.each([
    ['run_id'],
    ['attributes.run_id'],
    ['attribute.`run_id`'],
    ['trace.run_id'],
    ['tags.run_id'],
    ['tag.RUN_ID'],
    ['metadata.mlflow.sourceRun'],
    ['request_metadata.`mlflow.sourceRun`'],
    ['metadata."mlflow.sourceRun"'],
    ['"`run_id`"'],
    ['feedback.run_id'],
  ])('%s', async (name) => {
    const ask = { method: 'POST', target: `${V3}/traces/search`, as: 'reader' } as const
    const theirs = await gateway.ask({ ...ask, json: { locations, filter: `${name} = '${RUN_B}'` } })
    expect([theirs.line, theirs.reached]).toEqual([DENIED, []])
    const own = await gateway.ask({ ...ask, json: { locations, filter: `${name} = '${RUN_A}'` } })
    expect(own.line).toBe(ALLOWED)
  })
})

describe('a sort key', () => {
  it.each<[string, Ask]>([
    ['of versions', { target: `${V2}/model-versions/search?order_by=name&order_by=run_id%20DESC` }],
    [
      'of traces',
      { method: 'POST', target: `${V3}/traces/search`, json: { locations, order_by: ['run_id DESC'] } },
    ],
    [
      'of traces, in camel case',
      { method: 'POST', target: `${V3}/traces/search`, json: { locations, orderBy: ['tags.Run_Id'] } },
    ],
    ['of traces by GET', { target: `${V2}/traces?experiment_ids=${A}&order_by=run_id` }],
    [
      'of logged models',
      {
        ...{ method: 'POST', target: `${V2}/logged-models/search` },
        json: { experiment_ids: [A], order_by: [{ field_name: 'name' }, { field_name: 'source_run_id' }] },
      },
    ],
  ])('%s', async (_, ask) => {
    const { line, reached } = await gateway.ask({ ...ask, as: 'reader' })
    expect([line, reached]).toEqual([NOT_JUDGED, []])
    expect((await gateway.ask({ ...ask, as: 'admin' })).line).toBe(ALLOWED)
  })

  it('that tells nothing is taken', async () => {
    const target = `${V2}/model-versions/search?order_by=name%20ASC&order_by=last_updated_timestamp`
    expect((await gateway.ask({ target, as: 'reader' })).line).toBe(ALLOWED)
  })
})

describe('a trace’s logged model', () => {
  it.each([
    [MODEL_A, ALLOWED],
    [MODEL_B, DENIED],
  ])('%s', async (id, expected) => {
    const json = { locations, filter: `metadata.\`mlflow.modelId\` = '${id}'` }
    const { line } = await gateway.ask({ method: 'POST', target: `${V3}/traces/search`, as: 'reader', json })
    expect(line).toBe(expected)
  })
})

describe('assessments, for whom they are denied', () => {
  const metrics = { experiment_ids: [A], metric_name: 'x', aggregations: [{ aggregation_type: 'COUNT' }] }
  const selecting: readonly [string, string, object, string][] = [
    ['feedback', `${V3}/traces/search`, { locations, filter: "feedback.good = 'true'" }, 'explicit_deny'],
    ['expectations', `${V3}/traces/search`, { locations, filter: 'expectation.x > 3' }, 'explicit_deny'],
    [
      'a filter that is not read',
      `${V3}/traces/search`,
      { locations, filter: '/**/feedback.x = 3' },
      'explicit_deny',
    ],
    ['a count', `${V3}/traces/metrics`, { ...metrics, view_type: 'ASSESSMENTS' }, 'explicit_deny'],
    ['a count by number', `${V3}/traces/metrics`, { ...metrics, view_type: '3' }, 'explicit_deny'],
    ['a count of traces', `${V3}/traces/metrics`, { ...metrics, view_type: 'TRACES' }, ''],
    ['other things', `${V3}/traces/search`, { locations, filter: "tags.x = 'y'" }, ''],
    ['nothing', `${V3}/traces/search`, { locations }, ''],
  ]

  it.each(selecting)('%s', async (_, target, json, reason) => {
    const ask = { method: 'POST', target, json } as const
    expect((await gateway.ask({ ...ask, as: 'reader' })).line).toBe(ALLOWED)
    const { store, members } = gateway
    const { id } = await store.roles.personal(members.reader.userId)
    const grant = {
      resourceType: 'assessment',
      match: 'any',
      pattern: '*',
      level: 'DENY',
      source: 'manual',
    } as const
    const { id: grantId } = await store.roles.grant(id, grant)
    try {
      const wanted = reason === '' ? ALLOWED : `403 PERMISSION_DENIED ${reason}`
      await expect.poll(async () => (await gateway.ask({ ...ask, as: 'reader' })).line).toBe(wanted)
    } finally {
      await store.roles.revokeGrant(grantId)
    }
    await expect.poll(async () => (await gateway.ask({ ...ask, as: 'reader' })).line).toBe(ALLOWED)
  })
})

it('a filter that is no text is refused', async () => {
  for (const filter of [5, { a: 1 }, [['x'], 5]]) {
    const json = { locations, filter }
    const { line, reached } = await gateway.ask({
      method: 'POST',
      target: `${V3}/traces/search`,
      as: 'reader',
      json,
    })
    expect([line, reached]).toEqual([INVALID, []])
  }
})

it('what is not in one’s own experiments does not matter', async () => {
  const json = { experiment_ids: [B], filter: '' }
  const { text } = await gateway.ask({
    method: 'POST',
    target: `${V2}/logged-models/search`,
    as: 'reader',
    json,
  })
  expect(text).toBe('{}')
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isGatewayError } from '../../src/errors.ts'
import { select } from '../../src/mlflow/call.ts'
import { operationNamed } from '../../src/mlflow/catalogue.ts'
import { jsonName, readJsonObject } from '../../src/mlflow/json.ts'
import { plainId } from '../../src/mlflow/locate.ts'
import { resourcesOf } from '../../src/mlflow/locators.ts'
import { buildPath } from '../../src/mlflow/path.ts'
import { buildQuery, parseQuery } from '../../src/mlflow/query.ts'
import { judgedFirst } from '../../src/mlflow/rewrite.ts'
import { modelSource, read, row } from '../../src/mlflow/row.ts'
import { idsComparedWith } from '../../src/mlflow/search-filter.ts'
import { callFor, callOf, lookupIn, textOf } from '../mlflow/examples.ts'
import { runPython } from '../support/python.ts'

/**
 * What MLflow's own parsers make of what the gateway lets through: whatever was judged here must be what is read there.
 * The inputs are random; all are made first, and one Python process reads them.
 */
const SCRIPT = `
import json, os, urllib.parse
from google.protobuf.json_format import ParseDict, ParseError
from werkzeug.wrappers import Request
from mlflow.exceptions import MlflowException
from mlflow.protos import model_registry_pb2, service_pb2
from mlflow.store.artifact.runs_artifact_repo import RunsArtifactRepository
from mlflow.store.artifact.utils.models import _parse_model_uri
from mlflow.utils.search_utils import (
    SearchIssuesUtils, SearchLoggedModelsUtils, SearchModelVersionUtils, SearchTraceUtils
)
from mlflow.utils.uri import validate_path_is_safe

def number(value):
    try:
        return {"number": repr(float(value))}
    except OverflowError:
        return {"number": "inf" if value > 0 else "-inf"}

def plain(value):
    if isinstance(value, dict):
        return {"object": {key: plain(member) for key, member in value.items()}}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return number(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value

def body(text):
    try:
        return plain(json.loads(text.encode("utf-8")))
    except ValueError:
        return "unreadable"

# As _get_request_message of mlflow/server/handlers.py: a fault ends the reading, and nobody is told.
def message(name, text):
    found = (service_pb2.DESCRIPTOR.message_types_by_name.get(name) or model_registry_pb2.DESCRIPTOR.message_types_by_name[name])
    result = getattr(service_pb2 if found.file is service_pb2.DESCRIPTOR else model_registry_pb2, name)()
    try:
        ParseDict(js_dict=json.loads(text), message=result, ignore_unknown_fields=True)
    except ParseError:
        pass
    except (SystemError, OverflowError):
        return None  # not ParseErrors: MLflow answers 500 and does nothing
    fields = {}
    for field in found.fields:
        value = getattr(result, field.name)
        if isinstance(value, str):
            fields[field.name] = [value] if value else []
        elif field.is_repeated and field.type == field.TYPE_STRING:
            fields[field.name] = list(value)
    return fields

def query(text):
    args = Request.from_values(query_string=text).args
    return {name: args.getlist(name) for name in args}

def path(text):
    try:
        return validate_path_is_safe(urllib.parse.unquote(text))
    except MlflowException:
        return None

def source(text):
    try:
        scheme = urllib.parse.urlparse(text).scheme
        if scheme == "runs":
            return "run " + RunsArtifactRepository.parse_runs_uri(text)[0]
        if scheme == "models":
            parsed = _parse_model_uri(text)
            return "registry " + parsed.name if parsed.model_id is None else "model " + parsed.model_id
    except (MlflowException, ValueError):
        pass
    return None

# What each search compares with the id of a run, as the store finds it after the parser.
def filtered(text):
    found = []
    for parse, type_, key in (
        (SearchModelVersionUtils.parse_search_filter, "attribute", "run_id"),
        (SearchLoggedModelsUtils.parse_search_filter, "attribute", "source_run_id"),
        (SearchIssuesUtils.parse_search_filter, "attribute", "source_run_id"),
        (SearchTraceUtils.parse_search_filter_for_search_traces, "request_metadata", "mlflow.sourceRun"),
    ):
        try:
            parsed = parse(text)
        except Exception:
            continue
        for each in parsed:
            if each["type"] == type_ and each["key"] == key:
                value = each["value"]
                values = list(value) if isinstance(value, (list, tuple)) else [value]
                found.append([each["comparator"].upper(), values])
    return found

def sorted_by(text):
    for parse in (
        SearchTraceUtils.parse_order_by_for_search_traces,
        SearchModelVersionUtils.parse_order_by_for_search_model_versions,
    ):
        try:
            if parse(text)[:2] in (("request_metadata", "mlflow.sourceRun"), ("attribute", "run_id")):
                return True
        except Exception:
            pass
    return False

def names():
    found = []
    def walk(descriptor):
        found.append([[field.name, field.json_name] for field in descriptor.fields])
        for nested in descriptor.nested_types:
            walk(nested)
    for module in (service_pb2, model_registry_pb2):
        for descriptor in module.DESCRIPTOR.message_types_by_name.values():
            walk(descriptor)
    return found

asked = json.load(open(os.environ["ASKED"], encoding="utf-8"))
print(json.dumps({
    "bodies": [body(text) for text in asked["bodies"]],
    "messages": [message(name, text) for name, text in asked["messages"]],
    "queries": [query(text) for text in asked["queries"]],
    "paths": [path(text) for text in asked["paths"]],
    "sources": [source(text) for text in asked["sources"]],
    "filters": [filtered(text) for text in asked["filters"]],
    "sorts": [sorted_by(text) for text in asked["filters"]],
    "names": names(),
}))
`

/** The input, if the gateway takes it. */
function taken<T>(step: () => T): T | undefined {
  try {
    return step()
  } catch (fault) {
    if (!isGatewayError(fault)) throw fault
    return undefined
  }
}

/** Always the same inputs, so that a failure stays; another number gives others. */
const SEED = 20_261_125

function sampled<T>(arbitrary: fc.Arbitrary<T>, count: number): T[] {
  return fc.sample(arbitrary, { numRuns: count, seed: SEED })
}

/** JSON, and what almost is: valid texts with a few characters changed. */
const bodies = (() => {
  const pieces = [
    '"a"',
    '"a_b"',
    '"aB"',
    '"\\u0061"',
    '"\\ud800"',
    '1',
    '-0',
    '1e5',
    '1E400',
    '9'.repeat(30),
    'true',
    'null',
    'NaN',
    '[]',
    '{}',
    '[1,{"x":2}]',
    '{"a":{"b":[null]}}',
    '"é"',
    '"\u2028"',
    '"\\/"',
  ]
  const value = fc.constantFrom(...pieces)
  const member = fc
    .tuple(fc.constantFrom('"a"', '"b"', '"a_b"', '"c\\u005fd"', '"__proto__"', '""'), value)
    .map(([key, text]) => `${key}:${text}`)
  const object = fc.array(member, { maxLength: 4 }).map((members) => `{${members.join(',')}}`)
  const change = fc.tuple(
    fc.nat({ max: 40 }),
    fc.constantFrom('', ' ', '"', ',', ':', '{', '}', '0', '\\', '\t', '\u00a0', '\ufeff', 'e'),
  )
  const changed = fc
    .tuple(object, fc.option(change, { nil: undefined }))
    .map(([text, at]) => (at ? text.slice(0, at[0]) + at[1] + text.slice(at[0] + 1) : text))
  return sampled(changed, 3000)
    .map((text) => ({ text, value: taken(() => readJsonObject(Buffer.from(text)).value) }))
    .filter(({ value: found }) => found !== undefined)
})()

/** Bodies in which the judged fields stand anywhere among fields that MLflow cannot convert. */
const messages = (() => {
  const rows: readonly (readonly [operation: string, message: string, junk: readonly string[]])[] = [
    ['experiments.update', 'UpdateExperiment', ['new_name']],
    ['experiments.delete', 'DeleteExperiment', []],
    ['experiments.restore', 'RestoreExperiment', []],
    ['experiments.set_tag', 'SetExperimentTag', ['key', 'value']],
    ['experiments.create', 'CreateExperiment', ['tags']],
    ['runs.create', 'CreateRun', ['user_id', 'start_time', 'tags', 'run_name']],
    ['runs.update', 'UpdateRun', ['status', 'end_time']],
    ['runs.log_batch', 'LogBatch', ['metrics', 'params', 'tags']],
    ['runs.log_metric', 'LogMetric', ['key', 'value', 'timestamp', 'step']],
    ['runs.search', 'SearchRuns', ['filter', 'max_results', 'order_by', 'run_view_type']],
    ['logged_models.create', 'CreateLoggedModel', ['name', 'params', 'tags']],
    ['logged_models.search', 'SearchLoggedModels', ['filter', 'datasets']],
    ['registered_models.rename', 'RenameRegisteredModel', []],
    ['registered_models.delete', 'DeleteRegisteredModel', []],
    ['model_versions.create', 'CreateModelVersion', ['tags', 'description']],
  ]
  const broken = fc.constantFrom(
    '5',
    '"\\ud800"',
    '{"a":1}',
    '[[]]',
    '[null]',
    '["x",5]',
    'true',
    '"x"',
    'null',
    '1e400',
  )
  const cases = rows.flatMap(([name, message, junk]) => {
    const selectors = operationNamed(name).needs.flatMap((need) =>
      (need.kind === 'resource' || need.kind === 'narrow') && !need.locator.selector.text.includes('.')
        ? [need.locator.selector]
        : [],
    )
    const ids = selectors.flatMap(({ names, text }) =>
      names.map(([field = '']) => {
        const key = field.replace('[]', '')
        return fc
          .constantFrom(key, jsonName(key))
          .map((spelled) => `"${spelled}":${text.includes('[]') ? '["11","12"]' : '"11"'}`)
      }),
    )
    const other = fc
      .subarray([...junk, '[a.b]', 'unknown'])
      .chain((keys) => fc.tuple(...keys.map((key) => broken.map((text) => `"${key}":${text}`))))
    const members = fc.tuple(fc.tuple(...ids), other).chain(([judged, rest]) => {
      const all = [...judged, ...rest]
      return fc.shuffledSubarray(all, { minLength: all.length })
    })
    return sampled(members, 40).map((parts) => ({ name, message, text: `{${parts.join(',')}}`, selectors }))
  })
  return cases.flatMap((each) => {
    const call = taken(() => callFor(each.name, { body: each.text }))
    const judged =
      call && taken(() => each.selectors.map((selector) => ({ selector, values: select(call, selector) })))
    return call && judged ? [{ ...each, judged, forwarded: textOf(judgedFirst(call)) }] : []
  })
})()

const queries = (() => {
  const piece = fc.constantFrom(
    'experiment_id',
    'experimentId',
    'run_id',
    'a',
    '=',
    '&',
    ';',
    '1',
    '2',
    '%26',
    '%3D',
    '%2B',
    '+',
    '%5f',
    '%00',
    '%C3%A9',
    '%',
    '%zz',
    '%ff',
    '#',
    '?',
    'é',
    ' ',
  )
  return sampled(
    fc.array(piece, { maxLength: 8 }).map((parts) => parts.join('')),
    3000,
  ).flatMap((raw) => {
    const query = taken(() => parseQuery(raw, new Set(['a'])))
    return query ? [{ raw, query, forwarded: buildQuery(query).slice(1) }] : []
  })
})()

/** Artifact paths that the gateway reads, with what it forwards. */
async function readPaths() {
  const piece = fc.constantFrom(
    '1',
    '2',
    'a',
    '/',
    '.',
    '..',
    '%',
    '%25',
    '%32',
    '%2e',
    '%2F',
    '%5c',
    '\\',
    ':',
    'file',
    '#',
    '?',
    '%3f',
    '%23',
    '%00',
    '~',
    ' ',
    'é',
    '%C3%A9',
    ';',
    'C:',
    '@',
    '+',
    '%2532',
  )
  const raws = sampled(
    fc.array(piece, { minLength: 1, maxLength: 8 }).map((parts) => parts.join('')),
    4000,
  )
  const found: { raw: string; value: string; forwarded: string }[] = []
  for (const raw of raws) {
    const call = taken(() => callFor('artifacts.download', { path: { artifact_path: raw } }))
    const [need] = operationNamed('artifacts.download').needs
    const value = call?.params['artifact_path']
    if (call === undefined || value === undefined || need?.kind !== 'resource') continue
    const locating = { lookup: lookupIn({}), access: { needsName: () => false } }
    const isRead = await resourcesOf(call, need.locator, locating).then(
      () => true,
      () => false,
    )
    if (!isRead) continue
    found.push({
      raw,
      value,
      forwarded: buildPath(call.template, call.params).slice('/api/2.0/mlflow-artifacts/artifacts/'.length),
    })
  }
  return found
}

/** Where the gateway looked for the owner of a source, for those that it does not leave to admins. */
async function readSources() {
  const piece = fc.constantFrom(
    'runs',
    'models',
    'RUNS',
    ':',
    '/',
    '//',
    'ra',
    'model',
    'm-a1',
    '@',
    '1',
    'latest',
    ' ',
    '.',
    '..',
    '%2f',
    '?',
    '#',
    ';',
    '\\',
    '\t',
    'é',
    'x',
  )
  const scheme = fc.constantFrom('runs:/', 'models:/', '')
  const texts = sampled(
    fc
      .tuple(scheme, fc.array(piece, { minLength: 1, maxLength: 6 }))
      .map(([head, parts]) => head + parts.join('')),
    3000,
  )
  const need = read(modelSource('source'))
  if (need.kind !== 'resource') throw new Error('no resource')
  const operation = row('test.source', 'POST', '/test', need)
  const found: { text: string; asked: string }[] = []
  for (const text of texts) {
    const lookup = lookupIn({})
    const call = callOf(operation, { body: { source: text } })
    await resourcesOf(call, need.locator, { lookup, access: { needsName: () => false } }).catch(() => [])
    const [asked] = lookup.asked
    if (asked !== undefined && !asked.startsWith('experiment')) found.push({ text, asked })
  }
  return found
}

const RUN_FIELDS = ['run_id', 'source_run_id', 'mlflow.sourcerun']

/** Filters and sort keys that the gateway takes, with the ids that it judges. */
const filters = (() => {
  const name = fc.constantFrom(
    ...[
      'run_id',
      'source_run_id',
      'attributes.run_id',
      'attribute.`run_id`',
      'tags.run_id',
      'tag.RUN_ID',
      'name',
    ],
    ...[
      'metadata.mlflow.sourceRun',
      'request_metadata.`mlflow.sourceRun`',
      'metadata."mlflow.sourceRun"',
      'status',
    ],
    ...[
      '"run_id"',
      '`run_id`',
      "'run_id'",
      '"`run_id`"',
      'attributes. run_id',
      'run_id::text',
      'feedback.run_id',
      'run',
    ],
  )
  const comparator = fc.constantFrom(
    ...[' = ', '=', ' != ', ' LIKE ', ' in ', ' IN', ' NOT IN ', ' = ', '= ', ' IS NOT NULL', ' > ', ' '],
  )
  const text = fc.constantFrom(
    ...["'a'", "'c'", "'c'"],
    ...[
      "'a'",
      '"b"',
      "''",
      "'a''b'",
      "'a\\'b'",
      "'\\'",
      "'a' 'b'",
      "('a','b')",
      '(\'a\', "b")',
      "('a')",
      '("a",)',
    ],
    ...[
      "('a' 'b')",
      "('\\x62')",
      '5',
      'run_id',
      "'run_id'",
      "'a' AND run_id = 'c'",
      "'-- '",
      "'/*'",
      '`a`',
      "b'a'",
    ],
  )
  const junction = fc.constantFrom(' AND ', 'and ', ' OR ', '; ', ' -- \n', ' /* */ ', '\nAND\t', ', ', ' # ')
  const clause = fc.tuple(name, comparator, text).map((parts) => parts.join(''))
  const whole = fc.tuple(
    fc.array(fc.tuple(clause, junction), { maxLength: 2 }),
    fc.oneof(clause, name),
    fc.constantFrom('', '', ' DESC', ' ', ')'),
  )
  const texts = sampled(
    whole.map(([parts, last, end]) => parts.flat().join('') + last + end),
    20_000,
  )
  return texts.flatMap((each) => {
    const ids = taken(() => idsComparedWith([each], RUN_FIELDS).map(plainId))
    return ids ? [{ text: each, ids }] : []
  })
})()

type Answers = {
  readonly bodies: readonly unknown[]
  readonly messages: readonly (Readonly<Record<string, readonly string[]>> | null)[]
  readonly queries: readonly Readonly<Record<string, readonly string[]>>[]
  readonly paths: readonly (string | null)[]
  readonly sources: readonly (string | null)[]
  readonly filters: readonly (readonly (readonly [comparator: string, values: readonly string[]])[])[]
  readonly sorts: readonly boolean[]
  readonly names: readonly (readonly (readonly [string, string])[])[]
}

let answers: Answers
let paths: Awaited<ReturnType<typeof readPaths>>
let sources: Awaited<ReturnType<typeof readSources>>
const dir = mkdtempSync(join(tmpdir(), 'gateway-reading-'))
afterAll(() => rmSync(dir, { recursive: true }))

beforeAll(async () => {
  paths = await readPaths()
  sources = await readSources()
  const asked = join(dir, 'asked.json')
  const texts = {
    bodies: bodies.map(({ text }) => text),
    messages: messages.map(({ message, forwarded }) => [message, forwarded]),
    queries: queries.map(({ forwarded }) => forwarded),
    paths: paths.map(({ forwarded }) => forwarded),
    sources: sources.map(({ text }) => text),
    filters: filters.map(({ text }) => text),
  }
  writeFileSync(asked, JSON.stringify(texts))
  const { code, stdout, stderr } = await runPython(SCRIPT, { ASKED: asked })
  if (code !== 0) throw new Error(stderr)
  answers = JSON.parse(stdout)
})

/** A value of ours as the script writes it. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'number') return { number: value + 0 } // Python has no integer -0
  if (typeof value !== 'object' || value === null) return value
  return { object: Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plain(member)])) }
}

/** A value of the script's with its numbers as JavaScript reads them. */
function numbered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(numbered)
  if (typeof value !== 'object' || value === null) return value
  if ('number' in value) return { number: Number(String(value.number).replace('inf', 'Infinity')) }
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, numbered(member)]))
}

describe('what MLflow reads of what the gateway lets through', () => {
  it('is the same of a body', () => {
    expect(bodies.length).toBeGreaterThan(500)
    for (const [index, { text, value }] of bodies.entries()) {
      expect([text, numbered(answers.bodies[index])]).toEqual([text, plain(value)])
    }
  })

  it('is the same of the ids in a message, whatever else is in it', () => {
    expect(messages.length).toBeGreaterThan(300)
    for (const [index, { judged, text }] of messages.entries()) {
      if (answers.messages[index] === null) continue
      for (const { selector, values } of judged) {
        const fields = selector.names.map(
          ([field = '']) => answers.messages[index]?.[field.replace('[]', '')],
        )
        for (const found of fields)
          expect([text, selector.text, found]).toEqual([text, selector.text, values])
      }
    }
  })

  it('is the same of a query', () => {
    expect(queries.length).toBeGreaterThan(500)
    for (const [index, { raw, query }] of queries.entries()) {
      expect([raw, answers.queries[index]]).toEqual([raw, Object.fromEntries(query)])
    }
  })

  it('is the same of an artifact path, or nothing', () => {
    expect(paths.length).toBeGreaterThan(300)
    for (const [index, { raw, value }] of paths.entries()) {
      const found = answers.paths[index]
      if (found !== null) expect([raw, found]).toEqual([raw, value])
    }
  })

  it('is the same of the source of a model version, or nothing', () => {
    expect(sources.length).toBeGreaterThan(200)
    for (const [index, { text, asked }] of sources.entries()) {
      const found = answers.sources[index]
      if (found !== null) expect([text, found]).toEqual([text, asked])
    }
  })

  it('is the same of the runs that a search filters by', () => {
    let compared = 0
    for (const [index, { text, ids }] of filters.entries()) {
      for (const [comparator, values] of answers.filters[index] ?? []) {
        expect([
          text,
          ['=', 'IN'].includes(comparator),
          values.filter((value) => !ids.includes(value)),
        ]).toEqual([text, true, []])
        compared++
      }
      expect([text, answers.sorts[index]]).toEqual([text, false])
    }
    expect(compared).toBeGreaterThan(100)
  })

  it('is the same of the name of every field of every message', () => {
    expect(answers.names.length).toBeGreaterThan(300)
    for (const fields of answers.names) {
      for (const [name, json] of fields) expect(jsonName(name)).toBe(json)
      expect(new Set(fields.map(([name]) => jsonName(name))).size).toBe(fields.length)
    }
  })
})

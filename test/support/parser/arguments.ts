import fc from 'fast-check'
import { jsonName } from '../../../src/mlflow/json.ts'
import { type Ids, KINDS, TENANTS, type Tenant } from './world.ts'

/** Arguments on their way to a request: JSON that need not be valid, with ids that are not filled in yet. */
export type Node =
  | { readonly kind: 'object'; members: Member[] }
  | { readonly kind: 'list'; readonly items: Node[] }
  | Leaf

type Leaf = {
  readonly kind: 'leaf'
  /** A value with placeholders, or (`isText` false) JSON as it stands. */
  readonly template: string
  readonly isText: boolean
  tenant: Tenant
  spell: (json: string) => string
}

/** @param key A JSON string, quotes included. */
type Member = { key: string; value: Node }

const other = (tenant: Tenant): Tenant => (tenant === 'alpha' ? 'beta' : 'alpha')

/** Fills in the ids of a tenant. */
export function filled(template: string, ids: Ids, tenant: Tenant): string {
  return template.replace(/\$(\w+)/g, (_, name: string) => {
    if (name === 'other') return ids[other(tenant)].experiment
    if (name === 'new') return `${tenant}-new`
    if (name === 'fresh_trace') return `tr-${(tenant === 'alpha' ? 'a' : 'b').repeat(32)}`
    if (name === 'span_trace') return ids[tenant].trace.slice('tr-'.length)
    const kind = KINDS.find((each) => each === name)
    return kind === undefined ? `$${name}` : ids[tenant][kind]
  })
}

/** @param swaps Whether the ids of the n-th value are the other tenant's. */
export function nodeOf(value: unknown, tenant: Tenant, swaps: Iterator<boolean>): Node {
  if (Array.isArray(value)) return { kind: 'list', items: value.map((item) => nodeOf(item, tenant, swaps)) }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(
      ([key, member]) => [key, nodeOf(member, tenant, swaps)] as const,
    )
    return {
      kind: 'object',
      members: entries.map(([key, member]) => ({ key: JSON.stringify(key), value: member })),
    }
  }
  const isText = typeof value === 'string'
  const template = isText ? value : JSON.stringify(value)
  const isSwapped = template.includes('$') && swaps.next().value === true
  return { kind: 'leaf', template, isText, tenant: isSwapped ? other(tenant) : tenant, spell: (json) => json }
}

export function textOf(node: Node, ids: Ids): string {
  switch (node.kind) {
    case 'object':
      return `{${node.members.map(({ key, value }) => `${key}:${textOf(value, ids)}`).join(',')}}`
    case 'list':
      return `[${node.items.map((item) => textOf(item, ids)).join(',')}]`
    case 'leaf': {
      const text = filled(node.template, ids, node.tenant)
      return node.spell(node.isText ? JSON.stringify(text) : text)
    }
  }
}

/** The same as fields of a query. */
export function fieldsOf(node: Node, ids: Ids): (readonly [name: string, value: string])[] {
  if (node.kind !== 'object') return []
  return node.members.flatMap(({ key, value }) =>
    (value.kind === 'list' ? value.items : [value]).map(
      (each) => [unquoted(key), unquoted(textOf(each, ids))] as const,
    ),
  )
}

function unquoted(json: string): string {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'string' ? value : json
  } catch {
    return json
  }
}

const inside = (change: (text: string) => string) => (json: string) => JSON.stringify(change(unquoted(json)))
const digits = (zero: number) => (text: string) =>
  text.replace(/[0-9]/g, (digit) => String.fromCodePoint(zero + Number(digit)))

/** Other spellings of a value: what some reader takes for the same, and what is of another type. */
const VALUE_SPELLINGS: readonly ((json: string) => string)[] = [
  ...[
    ' $',
    '$ ',
    '0$',
    '+$',
    '-$',
    '$\n',
    '\t$',
    '$\u00a0',
    '0_$',
    '$.0',
    '$\0',
    '$/',
    './$',
    '$,1',
    '"$"',
    '[$]',
  ].map((form) => inside((text) => form.replace('$', () => text))),
  ...['\u200b$', '$\u2028', '$%00', '$#', '$?', '$;', '%24', '$e0', '0x$', '$\ud800'].map((form) =>
    inside((text) => form.replace('$', () => text)),
  ),
  inside(digits(0xff10)),
  inside(digits(0x660)),
  inside(digits(0x1d7d8)),
  inside((text) => text.toUpperCase()),
  inside((text) => text.normalize('NFD').replace('a', 'ａ')),
  inside((text) => (/^\d+$/.test(text) ? String(2n ** 64n + BigInt(text)) : text)),
  inside((text) => (/^\d+$/.test(text) ? String(2n ** 32n + BigInt(text)) : text)),
  inside((text) =>
    encodeURIComponent(text.toWellFormed()).replace(
      /[a-z0-9]/i,
      (char) => `%${char.charCodeAt(0).toString(16)}`,
    ),
  ),
  (json) => unquoted(json),
  (json) => `${unquoted(json)}.0`,
  (json) => `${unquoted(json)}e0`,
  (json) => `[${json}]`,
  (json) => `{"value":${json}}`,
  (json) => JSON.stringify(json),
  // The same string, written otherwise.
  (json) =>
    `"${[...unquoted(json)].map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"`,
  (json) => ` \n${json}\t`,
]

/** Other spellings of a key. */
const KEY_SPELLINGS: readonly ((name: string) => string)[] = [
  (name) => JSON.stringify(jsonName(name)),
  (name) => JSON.stringify(name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)),
  (name) => `"${name.replaceAll('_', '\\u005f')}"`,
  (name) => `"\\u00${name.charCodeAt(0).toString(16)}${name.slice(1)}"`,
  ...['$_', '_$', ' $', '$ ', '$[]', '[$]', '$\0', '\ufeff$', '__$'].map(
    (form) => (name: string) => JSON.stringify(form.replace('$', () => name)),
  ),
  (name) => JSON.stringify(name.replace('_', '__')),
  (name) => JSON.stringify(name.replace('_', '-')),
  (name) => JSON.stringify(name.replace('_', '＿')),
  (name) => JSON.stringify(name.toUpperCase()),
  (name) => JSON.stringify(jsonName(name).replace(/Id/, 'ID')),
  (name) => name,
]

const JUNK = [
  ...['5', '"\\ud800"', '{"a":1}', '[[]]', '[null]', '["x",5]', 'true', '"x"', '""', 'null', '1e400', 'NaN'],
  ...[
    '-1',
    '9'.repeat(30),
    '{}',
    '[]',
    '{"experiment_id":"$experiment"}',
    '["$experiment"]',
    '-Infinity',
    "'x'",
  ],
]

/** Fields by which some route of MLflow's, or some version of it, knows what a request is about. */
const FIELDS: Readonly<Record<string, unknown>> = {
  ...{ experiment_id: '$experiment', experiment_ids: ['$experiment'], run_id: '$run', run_uuid: '$run' },
  ...{ run_ids: ['$run'], model_id: '$logged_model', model_ids: ['$logged_model'], trace_id: '$trace' },
  ...{ trace_ids: ['$trace'], request_id: '$trace', request_ids: ['$trace'], name: '$registered_model' },
  ...{ new_name: '$new', experiment_name: '$experiment_name', path: '$artifact', artifact_path: '$artifact' },
  ...{ source: 'runs:/$run/x', source_run_id: '$run', artifact_location: 'mlflow-artifacts:/$experiment' },
  ...{
    filter: "attributes.run_id = '$run'",
    metrics: [{ key: 'k', value: 1, timestamp: 1, model_id: '$logged_model' }],
  },
  ...{ models: [{ model_id: '$logged_model' }], page_token: 'eyJvZmZzZXQiOiAwfQ==', max_results: 50_000 },
  ...{ mlflow_experiment: { experiment_id: '$experiment' }, inference_table: { full_table_name: 'a.b.c' } },
  ...{ tags: [{ key: 'mlflow.artifactLocation', value: 'mlflow-artifacts:/$artifact' }], version: '1' },
  ...{
    assessment_id: '$assessment',
    info: { trace_id: '$trace' },
    request_metadata: [{ key: 'mlflow.sourceRun', value: '$run' }],
  },
  ...{ trace_metadata: { 'mlflow.sourceRun': '$run' }, prompt_versions: [{ name: '$prompt', version: '1' }] },
  ...{
    assessments: [{ assessment_id: '$assessment', trace_id: '$trace', assessment_name: 'x' }],
    workspace: 'default',
  },
  ...{ locations: [{ type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id: '$experiment' } }] },
  ...{ update_mask: 'traceId', metric_key: 'seeded', alias: 'seeded', view_type: 'ALL', '@type': 'x' },
  ...{ query: '{ mlflowGetRun(input: {runId: "$run"}) { run { info { runName } } } }', operationName: 'a' },
  ...{ variables: { data: { runId: '$run' }, id: '$run' }, traceId: '$span_trace' },
}

/** One change to arguments; numbers are places, counted round and round. */
export type Twist =
  | {
      readonly kind: 'insert'
      readonly field: string
      readonly tenant: Tenant
      readonly place: number
      readonly at: number
    }
  | { readonly kind: 'repeat'; readonly swapped: boolean; readonly place: number; readonly at: number }
  | { readonly kind: 'rename'; readonly spelling: number; readonly place: number }
  | { readonly kind: 'respell'; readonly spelling: number; readonly place: number }
  | { readonly kind: 'junk'; readonly junk: string; readonly place: number }
  | { readonly kind: 'swap'; readonly place: number }
  | { readonly kind: 'move'; readonly place: number; readonly at: number }

const place = fc.nat({ max: 40 })

export const twist: fc.Arbitrary<Twist> = fc.oneof(
  ...[3, 3].map((weight) => ({
    weight,
    arbitrary: fc.record({
      ...{ kind: fc.constant('insert' as const), field: fc.constantFrom(...Object.keys(FIELDS)) },
      ...{ tenant: fc.constantFrom(...TENANTS), place, at: place },
    }),
  })),
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('repeat' as const), swapped: fc.boolean(), place, at: place }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('rename' as const),
      spelling: fc.nat(KEY_SPELLINGS.length - 1),
      place,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('respell' as const),
      spelling: fc.nat(VALUE_SPELLINGS.length - 1),
      place,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('junk' as const), junk: fc.constantFrom(...JUNK), place }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('swap' as const), place }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('move' as const), place, at: place }) },
)

type Objects = Extract<Node, { kind: 'object' }>

function objectsIn(node: Node): readonly Objects[] {
  if (node.kind === 'leaf') return []
  if (node.kind === 'list') return node.items.flatMap(objectsIn)
  return [node, ...node.members.flatMap(({ value }) => objectsIn(value))]
}

function leavesIn(node: Node): readonly Leaf[] {
  if (node.kind === 'leaf') return [node]
  return (node.kind === 'list' ? node.items : node.members.map(({ value }) => value)).flatMap(leavesIn)
}

function pick<T>(from: readonly T[], index: number): T | undefined {
  return from.length === 0 ? undefined : from[index % from.length]
}

function copyOf(node: Node): Node {
  if (node.kind === 'leaf') return { ...node }
  if (node.kind === 'list') return { kind: 'list', items: node.items.map(copyOf) }
  return { kind: 'object', members: node.members.map(({ key, value }) => ({ key, value: copyOf(value) })) }
}

/** Changes arguments in place. Ids come before other values where a place is looked for. */
export function apply(change: Twist, root: Node): void {
  const objects = objectsIn(root)
  const spots = objects.flatMap((object) => object.members.map((member) => ({ object, member })))
  const leaves = [...leavesIn(root)].sort(
    (a, b) => Number(b.template.includes('$')) - Number(a.template.includes('$')),
  )
  const insert = (object: Objects | undefined, at: number, member: Member) =>
    object?.members.splice(at % (object.members.length + 1), 0, member)
  switch (change.kind) {
    case 'insert': {
      const value = nodeOf(FIELDS[change.field], change.tenant, [][Symbol.iterator]())
      // At the top, mostly.
      insert(pick(objects, Math.max(0, change.place - 20)), change.at, {
        key: JSON.stringify(change.field),
        value,
      })
      return
    }
    case 'repeat': {
      const spot = pick(spots, change.place)
      if (spot === undefined) return
      const value = copyOf(spot.member.value)
      if (change.swapped) for (const leaf of leavesIn(value)) leaf.tenant = other(leaf.tenant)
      insert(spot.object, change.at, { key: spot.member.key, value })
      return
    }
    case 'rename': {
      const member = pick(spots, change.place)?.member
      if (member) member.key = KEY_SPELLINGS[change.spelling]?.(unquoted(member.key)) ?? member.key
      return
    }
    case 'respell': {
      const leaf = pick(leaves, Math.max(0, change.place - 20))
      if (leaf) leaf.spell = VALUE_SPELLINGS[change.spelling] ?? leaf.spell
      return
    }
    case 'junk': {
      const member = pick(spots, change.place)?.member
      if (member)
        member.value = {
          kind: 'leaf',
          template: change.junk,
          isText: false,
          tenant: 'beta',
          spell: (json) => json,
        }
      return
    }
    case 'swap': {
      const leaf = pick(leaves, change.place)
      if (leaf) leaf.tenant = other(leaf.tenant)
      return
    }
    case 'move': {
      const spot = pick(spots, change.place)
      if (spot === undefined) return
      spot.object.members.splice(spot.object.members.indexOf(spot.member), 1)
      insert(spot.object, change.at, spot.member)
    }
  }
}

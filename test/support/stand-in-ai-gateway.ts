import type { Thing } from './stand-in-things.ts'

/** Ids of the AI gateway's things: `A` is alpha's, `B` somebody else's. */
export const SECRET_A = `s-${'a'.repeat(32)}`
export const SECRET_B = `s-${'b'.repeat(32)}`
export const DEFINITION_A = `d-${'a'.repeat(32)}`
export const DEFINITION_B = `d-${'b'.repeat(32)}`
export const ENDPOINT_A = `e-${'a'.repeat(32)}`
export const ENDPOINT_B = `e-${'b'.repeat(32)}`
export const GUARDRAIL_A = `gr-${'a'.repeat(32)}`
export const GUARDRAIL_B = `gr-${'b'.repeat(32)}`
export const SCORER_A = 'aaaaaaaa-0000-4000-8000-000000000000'
export const SCORER_B = 'bbbbbbbb-0000-4000-8000-000000000000'

const secrets: Readonly<Record<string, object>> = {
  [SECRET_A]: { secret_id: SECRET_A, secret_name: 'alpha-secret' },
  [SECRET_B]: { secret_id: SECRET_B, secret_name: 'beta-secret' },
}

const definitions: Readonly<Record<string, object>> = {
  [DEFINITION_A]: { model_definition_id: DEFINITION_A, name: 'alpha-definition', ...secrets[SECRET_A] },
  [DEFINITION_B]: { model_definition_id: DEFINITION_B, name: 'beta-definition', ...secrets[SECRET_B] },
}

const mapping = (id: string) => ({ model_definition_id: id, model_definition: definitions[id] })

const endpoints: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  [ENDPOINT_A]: {
    ...{ endpoint_id: ENDPOINT_A, name: 'alpha-endpoint', experiment_id: '1' },
    // One of its models is somebody else's.
    model_mappings: [mapping(DEFINITION_A), mapping(DEFINITION_B)],
  },
  [ENDPOINT_B]: {
    ...{ endpoint_id: ENDPOINT_B, name: 'beta-endpoint', experiment_id: '2' },
    model_mappings: [mapping(DEFINITION_B)],
  },
}

const scorers = [
  { experiment_id: 1, scorer_name: 'relevance', scorer_id: SCORER_A },
  { experiment_id: 2, scorer_name: 'safety', scorer_id: SCORER_B },
]

const guardrails: Readonly<Record<string, object>> = {
  [GUARDRAIL_A]: { guardrail_id: GUARDRAIL_A, scorer: scorers[0] },
  [GUARDRAIL_B]: { guardrail_id: GUARDRAIL_B, scorer: scorers[1] },
}

const one = (field: string, value: object | undefined) => value && { [field]: value }

/** What the stand-in knows of the AI gateway; its lists are those of everybody. */
export const AI_GATEWAY_THINGS: readonly Thing[] = [
  {
    path: /^3\.0\/mlflow\/gateway\/endpoints\/get$/,
    answer: (_, query) => {
      const byName = Object.values(endpoints).find(({ name }) => name === query.get('name'))
      return one('endpoint', query.has('name') ? byName : endpoints[query.get('endpoint_id') ?? ''])
    },
  },
  {
    path: /^3\.0\/mlflow\/gateway\/secrets\/get$/,
    answer: (_, query) => one('secret', secrets[query.get('secret_id') ?? '']),
  },
  {
    path: /^3\.0\/mlflow\/gateway\/model-definitions\/get$/,
    answer: (_, query) => one('model_definition', definitions[query.get('model_definition_id') ?? '']),
  },
  { path: /^3\.0\/mlflow\/scorers\/list$/, answer: () => ({ scorers }) },
  {
    path: /^3\.0\/mlflow\/gateway\/guardrails\/get$/,
    answer: (_, query) => {
      const id = query.get('guardrail_id')
      return id === null ? {} : one('guardrail', guardrails[id])
    },
  },
  {
    path: /^3\.0\/mlflow\/gateway\/endpoints\/list$/,
    answer: () => ({ endpoints: Object.values(endpoints) }),
  },
  { path: /^3\.0\/mlflow\/gateway\/secrets\/list$/, answer: () => ({ secrets: Object.values(secrets) }) },
  {
    path: /^3\.0\/mlflow\/gateway\/model-definitions\/list$/,
    answer: () => ({ model_definitions: Object.values(definitions) }),
  },
  ...[
    ['secrets', { secret: { secret_id: 's-new' } }],
    ['model-definitions', { model_definition: { model_definition_id: 'd-new' } }],
    ['endpoints', { endpoint: { endpoint_id: 'e-new' } }],
  ].map(([what, answer]) => ({
    method: 'POST',
    path: new RegExp(`^3\\.0/mlflow/gateway/${what}/create$`),
    answer: () => answer as object,
  })),
]

import type { Operation } from '../operation.ts'
import {
  ADMIN,
  adminMethod,
  create,
  experiment,
  gatewayEndpoint,
  gatewayEndpointName,
  gatewayModelDefinition,
  gatewaySecret,
  type Located,
  locate,
  manage,
  notAlso,
  notDenied,
  read,
  refuseField,
  remove,
  row,
  SIGNED_IN,
  since,
  update,
  use,
} from '../row.ts'
import { parseSelector } from '../selector.ts'
import { type Withholding, withheld } from '../withhold.ts'

const guardrail = locate('gateway_guardrail')('guardrail_id')
/** Of a stored scorer: whoever may read it, unless versions of scorers are denied. */
const readsScorer = [read(guardrail), ...notDenied(guardrail, 'scorer_version')]
const vetoed = (located: Located) => located('not_denied')

/** What somebody who sees a model definition does not see of its secret without being able to read that. */
const secretOf = (at: string): Withholding =>
  withheld(at, ['secret_id', 'secret_name'], { row: 'gateway_secret' })

/** What an endpoint sends its calls to, and the secrets of that (`_withhold_denied_model_mappings`, 3.17.2). */
const mappingsAt = (at: string): readonly Withholding[] => [
  withheld(at, ['model_definition_id', 'model_definition'], { row: 'gateway_mapping' }),
  secretOf(`${at}.model_definition`),
]

/** A guardrail's answers hold the whole definition of its scorer (`_withhold_denied_guardrail_scorers`, 3.17.2). */
const scorerAt = (at: string): Withholding => withheld(`${at}.scorer`, 'whole', { row: 'scorer' })

/** Whose money a budget watches, and who set it, is not for everybody who may know the limit. */
const peopleAt = (at: string): Withholding =>
  withheld(at, ['target_value', 'created_by', 'last_updated_by'], { admin: true })

/** Names of endpoints change, so that which one was meant is forgotten with every change. */
const FORGOTTEN = [
  { kind: 'forget_answers', about: 'gateway_endpoint_name' },
  { kind: 'forget_answer', about: 'gateway_endpoint', selector: parseSelector('endpoint_id') },
] as const

/**
 * Seconds. A provider may think for as long as MLflow waits for it, 300 (`MLFLOW_GATEWAY_ROUTE_TIMEOUT_SECONDS`, 3.17.2),
 * before the first byte and between two of a stream; and MLflow has to be heard when it gives up.
 */
const PATIENCE = 330

const CALLED = { patience: PATIENCE, joinsTrace: true } as const

/** The endpoint is named in the body as the model: plain JSON, the exact key. */
const invokedByModel = (name: string, path: string, headers: readonly string[] = []) =>
  row(name, 'POST', path, use(gatewayEndpointName('model')), { ...CALLED, headers })

const invokedByPath = (name: string, path: string) =>
  row(name, 'POST', path, use(gatewayEndpointName('path:endpoint_name')), CALLED)

/**
 * The AI gateway: secrets, model definitions, endpoints and what is sent through them. MLflow lets everybody create
 * them; here it takes a right on the name, as for experiments.
 * Rows with more literal segments come first, as MLflow's own routers prefer them.
 */
export const AI_GATEWAY: readonly Operation[] = [
  // gateway budget
  row('gateway_budgets.create_policy', 'POST', '3.0/mlflow/gateway/budgets/create', ADMIN, {
    since: '3.17.2',
  }),
  row('gateway_budgets.delete_policy', 'DELETE', '3.0/mlflow/gateway/budgets/delete', ADMIN, {
    since: '3.17.2',
  }),
  row('gateway_budgets.get_policy', 'GET', '3.0/mlflow/gateway/budgets/get', SIGNED_IN, {
    since: '3.17.2',
    withhold: [peopleAt('budget_policy')],
  }),
  row('gateway_budgets.list_policies', 'GET', '3.0/mlflow/gateway/budgets/list', SIGNED_IN, {
    since: '3.17.2',
    withhold: [peopleAt('budget_policies[]')],
  }),
  // What everybody has spent: MLflow shows it to all.
  row('gateway_budgets.list_windows', 'GET', '3.0/mlflow/gateway/budgets/windows', SIGNED_IN, {
    since: '3.17.2',
    withhold: [withheld('', ['windows'], { admin: true })],
  }),
  row('gateway_budgets.update_policy', 'POST', '3.0/mlflow/gateway/budgets/update', ADMIN, {
    since: '3.17.2',
  }),
  // gateway catalogue
  row('gateway_catalogue.get_secrets_config', 'GET', 'ajax:3.0/mlflow/gateway/secrets/config', SIGNED_IN, {
    withhold: [withheld('', ['using_default_passphrase'], { admin: true })],
  }),
  row('gateway_catalogue.get_provider_config', 'GET', 'ajax:3.0/mlflow/gateway/provider-config', SIGNED_IN),
  row(
    'gateway_catalogue.list_supported_models',
    'GET',
    'ajax:3.0/mlflow/gateway/supported-models',
    SIGNED_IN,
  ),
  row(
    'gateway_catalogue.list_supported_providers',
    'GET',
    'ajax:3.0/mlflow/gateway/supported-providers',
    SIGNED_IN,
  ),
  // gateway endpoint
  row(
    'gateway_endpoints.attach_model_to',
    'POST',
    '3.0/mlflow/gateway/endpoints/models/attach',
    [update(gatewayEndpoint('endpoint_id')), use(gatewayModelDefinition('model_config.model_definition_id'))],
    { stamps: ['created_by'], withhold: mappingsAt('mapping') },
  ),
  row(
    'gateway_endpoints.create_binding',
    'POST',
    '3.0/mlflow/gateway/endpoints/bindings/create',
    // MLflow does not ask whose scorer it is.
    [update(gatewayEndpoint('endpoint_id')), update(locate('gateway_bound')('resource_id'))],
    { stamps: ['created_by'] },
  ),
  row(
    'gateway_endpoints.delete_binding',
    'DELETE',
    '3.0/mlflow/gateway/endpoints/bindings/delete',
    update(gatewayEndpoint('endpoint_id')),
  ),
  row('gateway_endpoints.detach_model_from', 'POST', '3.0/mlflow/gateway/endpoints/models/detach', [
    update(gatewayEndpoint('endpoint_id')),
    vetoed(gatewayModelDefinition('model_definition_id')),
  ]),
  row(
    'gateway_endpoints.list_bindings',
    'GET',
    '3.0/mlflow/gateway/endpoints/bindings/list',
    // Without an endpoint it is about those of everybody: the interface asks so, and shows what may be seen of them.
    [SIGNED_IN, read(gatewayEndpoint('endpoint_id?'))],
    { withhold: [withheld('bindings[]', 'whole', { row: 'gateway_endpoint' })] },
  ),
  invokedByModel('gateway_endpoints.chat_completions', '/gateway/mlflow/v1/chat/completions'),
  invokedByModel('gateway_endpoints.openai_passthrough_chat', '/gateway/openai/v1/chat/completions'),
  ...since('3.17.2', [
    invokedByModel(
      'gateway_endpoints.openai_passthrough_responses_compact',
      '/gateway/openai/v1/responses/compact',
    ),
  ]),
  row(
    'gateway_endpoints.add_guardrail_to',
    'POST',
    '3.0/mlflow/gateway/guardrails/add-to-endpoint',
    [update(gatewayEndpoint('endpoint_id')), ...readsScorer],
    { since: '3.17.2', withhold: [scorerAt('config.guardrail')] },
  ),
  row(
    'gateway_endpoints.create',
    'POST',
    '3.0/mlflow/gateway/endpoints/create',
    [
      create(locate('gateway_endpoint_new_name')('name')),
      use(gatewayModelDefinition('model_configs[].model_definition_id')),
      update(experiment('experiment_id?')),
      create(locate('experiment_of_new_endpoint')('name')),
    ],
    {
      stamps: ['created_by'],
      effects: [
        { kind: 'grant_creator', type: 'gateway_endpoint', at: ['endpoint', 'endpoint_id'] },
        {
          kind: 'grant_creator_of_source',
          type: 'experiment',
          at: ['endpoint', 'experiment_id'],
          source: ['endpoint', 'endpoint_id'],
        },
      ],
      withhold: mappingsAt('endpoint.model_mappings[]'),
    },
  ),
  row(
    'gateway_endpoints.delete',
    'DELETE',
    '3.0/mlflow/gateway/endpoints/delete',
    remove(gatewayEndpoint('endpoint_id')),
    {
      effects: [
        { kind: 'forget_grants', type: 'gateway_endpoint', selector: parseSelector('endpoint_id') },
        ...FORGOTTEN,
      ],
    },
  ),
  row(
    'gateway_endpoints.delete_tag',
    'DELETE',
    '3.0/mlflow/gateway/endpoints/delete-tag',
    update(gatewayEndpoint('endpoint_id')),
  ),
  row(
    'gateway_endpoints.get',
    'GET',
    '3.0/mlflow/gateway/endpoints/get',
    // MLflow takes one of the two (3.17.2); who sends both needs both.
    [read(gatewayEndpoint('endpoint_id?')), read(gatewayEndpointName('name?'))],
    { withhold: mappingsAt('endpoint.model_mappings[]') },
  ),
  row(
    'gateway_endpoints.list_guardrail_configs',
    'GET',
    '3.0/mlflow/gateway/guardrails/list-for-endpoint',
    read(gatewayEndpoint('endpoint_id')),
    { since: '3.17.2', withhold: [scorerAt('configs[].guardrail')] },
  ),
  row(
    'gateway_endpoints.list',
    'GET',
    '3.0/mlflow/gateway/endpoints/list',
    // MLflow does not read the secret (3.17.2); a version that did would tell what uses it.
    [SIGNED_IN, read(gatewaySecret('secret_id?'))],
    {
      list: { field: 'endpoints', rows: 'gateway_endpoint', pages: 'none' },
      withhold: mappingsAt('endpoints[].model_mappings[]'),
    },
  ),
  row(
    'gateway_endpoints.remove_guardrail_from',
    'DELETE',
    '3.0/mlflow/gateway/guardrails/remove-from-endpoint',
    update(gatewayEndpoint('endpoint_id')),
    { since: '3.17.2' },
  ),
  row(
    'gateway_endpoints.set_tag',
    'POST',
    '3.0/mlflow/gateway/endpoints/set-tag',
    update(gatewayEndpoint('endpoint_id')),
  ),
  row(
    'gateway_endpoints.update_guardrail_config',
    'PATCH',
    '3.0/mlflow/gateway/guardrails/update-config',
    [update(gatewayEndpoint('endpoint_id')), ...readsScorer],
    { since: '3.17.2', withhold: [scorerAt('config.guardrail')] },
  ),
  row(
    'gateway_endpoints.update',
    'POST',
    '3.0/mlflow/gateway/endpoints/update',
    [
      update(gatewayEndpoint('endpoint_id')),
      create(locate('gateway_endpoint_renamed')('name?')),
      use(gatewayModelDefinition('model_configs[].model_definition_id?')),
      update(experiment('experiment_id?')),
      create(locate('experiment_of_endpoint')('endpoint_id')),
    ],
    {
      stamps: ['updated_by'],
      effects: FORGOTTEN,
      withhold: mappingsAt('endpoint.model_mappings[]'),
    },
  ),
  invokedByModel('gateway_endpoints.anthropic_passthrough_messages', '/gateway/anthropic/v1/messages', [
    'anthropic-beta',
    'anthropic-version',
  ]),
  invokedByPath(
    'gateway_endpoints.gemini_passthrough_generate_content',
    '/gateway/gemini/v1beta/models/<endpoint_name>:generateContent',
  ),
  invokedByPath(
    'gateway_endpoints.gemini_passthrough_stream_generate_content',
    '/gateway/gemini/v1beta/models/<endpoint_name>:streamGenerateContent',
  ),
  // Those that the caller may call, as with MLflow.
  row('gateway_endpoints.list_models', 'GET', '/gateway/mlflow/v1/models', SIGNED_IN, {
    since: '3.17.2',
    list: { field: 'data', rows: 'gateway_model', pages: 'none' },
  }),
  invokedByModel('gateway_endpoints.openai_passthrough_embeddings', '/gateway/openai/v1/embeddings'),
  invokedByModel('gateway_endpoints.openai_passthrough_responses', '/gateway/openai/v1/responses'),
  ...since('3.17.2', [
    invokedByModel('gateway_endpoints.typesafe_passthrough_system_one', '/gateway/typesafe/v1/systemone'),
  ]),
  invokedByPath('gateway_endpoints.invocations', '/gateway/<endpoint_name>/mlflow/invocations'),
  row(
    'gateway_endpoints.raw_proxy',
    'POST',
    '/gateway/proxy/<endpoint_name>/<path:path>',
    // Any path and any model of the provider with the stored key: MLflow asks USE, as if it were a call of the endpoint's
    // own model. Who manages the endpoint decides what it calls anyway.
    manage(gatewayEndpointName('path:endpoint_name')),
    {
      since: '3.17.2',
      body: 'stream',
      ...CALLED,
      // MLflow would call an endpoint named `proxy` (3.17.2: the first route that fits).
      rules: [notAlso('/gateway/<endpoint_name>/mlflow/invocations')],
    },
  ),
  // gateway guardrail
  row('gateway_guardrails.create', 'POST', '3.0/mlflow/gateway/guardrails/create', ADMIN, {
    since: '3.17.2',
  }),
  row('gateway_guardrails.delete', 'DELETE', '3.0/mlflow/gateway/guardrails/delete', ADMIN, {
    since: '3.17.2',
  }),
  row('gateway_guardrails.get', 'GET', '3.0/mlflow/gateway/guardrails/get', ADMIN, { since: '3.17.2' }),
  row('gateway_guardrails.list', 'GET', '3.0/mlflow/gateway/guardrails/list', ADMIN, { since: '3.17.2' }),
  // gateway model definition
  row(
    'gateway_model_definitions.create',
    'POST',
    '3.0/mlflow/gateway/model-definitions/create',
    [create(locate('gateway_model_definition_new_name')('name')), use(gatewaySecret('secret_id'))],
    {
      stamps: ['created_by'],
      effects: [
        {
          kind: 'grant_creator',
          type: 'gateway_model_definition',
          at: ['model_definition', 'model_definition_id'],
        },
      ],
      withhold: [secretOf('model_definition')],
    },
  ),
  row(
    'gateway_model_definitions.delete',
    'DELETE',
    '3.0/mlflow/gateway/model-definitions/delete',
    remove(gatewayModelDefinition('model_definition_id')),
    {
      effects: [
        {
          kind: 'forget_grants',
          type: 'gateway_model_definition',
          selector: parseSelector('model_definition_id'),
        },
      ],
    },
  ),
  row(
    'gateway_model_definitions.get',
    'GET',
    '3.0/mlflow/gateway/model-definitions/get',
    read(gatewayModelDefinition('model_definition_id')),
    { withhold: [secretOf('model_definition')] },
  ),
  row(
    'gateway_model_definitions.list',
    'GET',
    '3.0/mlflow/gateway/model-definitions/list',
    [SIGNED_IN, read(gatewaySecret('secret_id?'))],
    {
      list: { field: 'model_definitions', rows: 'gateway_model_definition', pages: 'none' },
      withhold: [secretOf('model_definitions[]')],
    },
  ),
  row(
    'gateway_model_definitions.update',
    'POST',
    '3.0/mlflow/gateway/model-definitions/update',
    [
      update(gatewayModelDefinition('model_definition_id')),
      create(locate('gateway_model_definition_renamed')('name?')),
      use(gatewaySecret('secret_id?')),
    ],
    {
      stamps: ['updated_by'],
      effects: [
        {
          kind: 'forget_answer',
          about: 'gateway_model_definition',
          selector: parseSelector('model_definition_id'),
        },
      ],
      withhold: [secretOf('model_definition')],
    },
  ),
  // gateway proxy: MLflow lets everybody send anything to whatever the server is set up to call.
  row(
    'gateway_proxy.gateway_proxy',
    'GET|POST',
    'ajax:2.0/mlflow/gateway-proxy',
    [SIGNED_IN, adminMethod('POST')],
    { since: '2.22.5' },
  ),
  // gateway secret
  row(
    'gateway_secrets.create',
    'POST',
    '3.0/mlflow/gateway/secrets/create',
    create(locate('gateway_secret_new_name')('secret_name')),
    {
      stamps: ['created_by'],
      effects: [{ kind: 'grant_creator', type: 'gateway_secret', at: ['secret', 'secret_id'] }],
    },
  ),
  row(
    'gateway_secrets.delete',
    'DELETE',
    '3.0/mlflow/gateway/secrets/delete',
    remove(gatewaySecret('secret_id')),
    {
      effects: [{ kind: 'forget_grants', type: 'gateway_secret', selector: parseSelector('secret_id') }],
    },
  ),
  row('gateway_secrets.get_info', 'GET', '3.0/mlflow/gateway/secrets/get', read(gatewaySecret('secret_id')), {
    rules: [refuseField('secret_name?', 'name the secret by its secret_id')],
  }),
  row('gateway_secrets.list_infos', 'GET', '3.0/mlflow/gateway/secrets/list', SIGNED_IN, {
    list: { field: 'secrets', rows: 'gateway_secret', pages: 'none' },
  }),
  row(
    'gateway_secrets.update',
    'POST',
    '3.0/mlflow/gateway/secrets/update',
    // Its `auth_config` says where the key is sent: whoever changes that could have it sent to themselves.
    [update(gatewaySecret('secret_id')), manage(locate('gateway_secret_redirected')('secret_id'))],
    { stamps: ['updated_by'] },
  ),
]

import type { Context, Template, Templates } from '../request.ts'

const onEndpoint =
  (json: (context: Context) => object = () => ({})): Template =>
  (context) => ({ json: { endpoint_id: context.it.endpoint, ...json(context) } })
const byEndpoint: Template = ({ it }) => ({ query: { endpoint_id: it.endpoint } })
const modelConfig = (definition: string, weight = 1) => ({
  ...{ model_definition_id: definition, linkage_type: 'PRIMARY', weight },
})
const messages = [{ role: 'user', content: 'hello' }]
const toEndpoint =
  (json: object): Template =>
  ({ it }) => ({ json: { model: it.endpointName, ...json } })
const inPath =
  (json: object, params: Readonly<Record<string, string>> = {}): Template =>
  ({ it }) => ({ params: { endpoint_name: it.endpointName, ...params }, json })
const budget = {
  ...{ budget_unit: 'USD', budget_amount: 5, duration: { unit: 'DAYS', value: 1 } },
  ...{ target_scope: 'GLOBAL', budget_action: 'ALERT' },
}
const guardrail: Template = ({ it }) => ({ query: { guardrail_id: it.guardrail } })
const contents = { contents: [{ parts: [{ text: 'hello' }] }] }

/** The AI gateway: secrets, model definitions, endpoints, guardrails, budgets, and the calls to models. */
export const AI_GATEWAY: Templates = {
  CreateGatewayBudgetPolicy: () => ({ json: budget }),
  DeleteGatewayBudgetPolicy: ({ it }) => ({ json: { budget_policy_id: it.budget } }),
  GetGatewayBudgetPolicy: ({ it }) => ({ query: { budget_policy_id: it.budget } }),
  ListGatewayBudgetPolicies: () => ({}),
  ListGatewayBudgetWindows: () => ({}),
  UpdateGatewayBudgetPolicy: ({ it }) => ({ json: { budget_policy_id: it.budget, budget_amount: 6 } }),
  _get_provider_config: () => ({ query: { provider: 'openai' } }),
  _get_secrets_config: () => ({}),
  _list_supported_models: () => ({ query: { provider: 'openai' } }),
  _list_supported_providers: () => ({}),

  AddGuardrailToEndpoint: onEndpoint(({ it }) => ({ guardrail_id: it.spareGuardrail })),
  "AddGuardrailToEndpoint/another's": onEndpoint(({ others }) => ({ guardrail_id: others.guardrail })),
  AttachModelToGatewayEndpoint: onEndpoint(({ it }) => ({ model_config: modelConfig(it.spareDefinition) })),
  "AttachModelToGatewayEndpoint/another's": onEndpoint(({ others }) => ({
    model_config: modelConfig(others.definition),
  })),
  CreateGatewayEndpoint: ({ it, fresh }) => ({
    json: {
      ...{ name: `endpoint_${fresh}`, usage_tracking: false, model_configs: [modelConfig(it.definition)] },
    },
  }),
  'CreateGatewayEndpoint/in an experiment': ({ it, fresh }) => ({
    json: {
      ...{ name: `endpoint_${fresh}`, usage_tracking: true, experiment_id: it.experiment },
      model_configs: [modelConfig(it.definition)],
    },
  }),
  CreateGatewayEndpointBinding: onEndpoint(({ fresh }) => ({
    ...{ resource_type: 'scorer', resource_id: fresh },
  })),
  DeleteGatewayEndpoint: onEndpoint(),
  DeleteGatewayEndpointBinding: onEndpoint(({ it }) => ({
    ...{ resource_type: 'scorer', resource_id: it.scorerId },
  })),
  DeleteGatewayEndpointTag: onEndpoint(() => ({ key: 'k' })),
  DetachModelFromGatewayEndpoint: onEndpoint(({ it }) => ({ model_definition_id: it.definition })),
  GetGatewayEndpoint: byEndpoint,
  'GetGatewayEndpoint/by name': ({ it }) => ({ query: { name: it.endpointName } }),
  ListEndpointGuardrailConfigs: byEndpoint,
  ListGatewayEndpointBindings: byEndpoint,
  'ListGatewayEndpointBindings/of all': () => ({}),
  ListGatewayEndpoints: () => ({}),
  'ListGatewayEndpoints/of a secret': ({ it }) => ({ query: { secret_id: it.secret } }),
  RemoveGuardrailFromEndpoint: onEndpoint(({ it }) => ({ guardrail_id: it.guardrail })),
  SetGatewayEndpointTag: onEndpoint(() => ({ key: 'k', value: 'new' })),
  UpdateEndpointGuardrailConfig: onEndpoint(({ it }) => ({
    ...{ guardrail_id: it.guardrail, execution_order: 2 },
  })),
  UpdateGatewayEndpoint: onEndpoint(({ fresh }) => ({ name: `renamed_${fresh}` })),
  'UpdateGatewayEndpoint/its models': onEndpoint(({ it }) => ({
    model_configs: [modelConfig(it.definition)],
  })),
  "UpdateGatewayEndpoint/another's model": onEndpoint(({ others }) => ({
    model_configs: [modelConfig(others.definition)],
  })),

  anthropic_passthrough_messages: toEndpoint({ messages, max_tokens: 1 }),
  chat_completions: toEndpoint({ messages }),
  gemini_passthrough_generate_content: inPath(contents),
  gemini_passthrough_stream_generate_content: inPath(contents),
  invocations: inPath({ messages }),
  list_models: () => ({}),
  openai_passthrough_chat: toEndpoint({ messages }),
  openai_passthrough_embeddings: toEndpoint({ input: 'hello' }),
  openai_passthrough_responses: toEndpoint({ input: 'hello' }),
  openai_passthrough_responses_compact: toEndpoint({ input: 'hello' }),
  raw_proxy: inPath({ messages }, { path: 'v1/chat/completions' }),
  typesafe_passthrough_system_one: toEndpoint({ input: 'hello' }),
  'serve_gateway_proxy|GET': () => ({ query: { gateway_path: 'api/2.0/endpoints/' } }),
  'serve_gateway_proxy|POST': ({ it }) => ({
    json: { gateway_path: `gateway/${it.endpointName}/invocations`, json_data: { messages } },
  }),

  CreateGatewayGuardrail: ({ it, fresh }) => ({
    json: {
      ...{ name: `guardrail_${fresh}`, scorer_id: it.scorerId, scorer_version: 1 },
      ...{ stage: 'BEFORE', action: 'VALIDATION' },
    },
  }),
  DeleteGatewayGuardrail: ({ it }) => ({ json: { guardrail_id: it.guardrail } }),
  GetGatewayGuardrail: guardrail,
  ListGatewayGuardrails: () => ({}),

  CreateGatewayModelDefinition: ({ it, fresh }) => ({
    json: {
      ...{ name: `definition_${fresh}`, secret_id: it.secret, provider: 'openai', model_name: 'gpt-x' },
    },
  }),
  DeleteGatewayModelDefinition: ({ it }) => ({ json: { model_definition_id: it.definition } }),
  GetGatewayModelDefinition: ({ it }) => ({ query: { model_definition_id: it.definition } }),
  ListGatewayModelDefinitions: () => ({}),
  'ListGatewayModelDefinitions/of a secret': ({ it }) => ({ query: { secret_id: it.secret } }),
  UpdateGatewayModelDefinition: ({ it }) => ({
    json: { model_definition_id: it.definition, model_name: 'gpt-y' },
  }),
  "UpdateGatewayModelDefinition/another's secret": ({ it, others }) => ({
    json: { model_definition_id: it.definition, secret_id: others.secret },
  }),
  CreateGatewaySecret: ({ fresh }) => ({
    json: {
      ...{ secret_name: `secret_${fresh}`, secret_value: { api_key: 'not-a-key' }, provider: 'openai' },
    },
  }),
  DeleteGatewaySecret: ({ it }) => ({ json: { secret_id: it.secret } }),
  GetGatewaySecretInfo: ({ it }) => ({ query: { secret_id: it.secret } }),
  ListGatewaySecretInfos: () => ({}),
  UpdateGatewaySecret: ({ it }) => ({ json: { secret_id: it.secret, secret_value: { api_key: 'new-key' } } }),
}

import { ADMIN, type Operation, row, SIGNED_IN } from '../operation.ts'

/**
 * The AI gateway: secrets, model definitions, endpoints and what is sent through them.
 * Rows with more literal segments come first, as MLflow's own routers prefer them.
 */
export const AI_GATEWAY: readonly Operation[] = [
  // gateway budget
  row('gateway_budgets.create_policy', 'POST', '3.0/mlflow/gateway/budgets/create', ADMIN),
  row('gateway_budgets.delete_policy', 'DELETE', '3.0/mlflow/gateway/budgets/delete', ADMIN),
  row('gateway_budgets.get_policy', 'GET', '3.0/mlflow/gateway/budgets/get', ADMIN),
  row('gateway_budgets.list_policies', 'GET', '3.0/mlflow/gateway/budgets/list', ADMIN),
  row('gateway_budgets.list_windows', 'GET', '3.0/mlflow/gateway/budgets/windows', ADMIN),
  row('gateway_budgets.update_policy', 'POST', '3.0/mlflow/gateway/budgets/update', ADMIN),
  // gateway catalogue
  row('gateway_catalogue.get_secrets_config', 'GET', 'ajax:3.0/mlflow/gateway/secrets/config', SIGNED_IN),
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
  row('gateway_endpoints.attach_model_to', 'POST', '3.0/mlflow/gateway/endpoints/models/attach', ADMIN),
  row('gateway_endpoints.create_binding', 'POST', '3.0/mlflow/gateway/endpoints/bindings/create', ADMIN),
  row('gateway_endpoints.delete_binding', 'DELETE', '3.0/mlflow/gateway/endpoints/bindings/delete', ADMIN),
  row('gateway_endpoints.detach_model_from', 'POST', '3.0/mlflow/gateway/endpoints/models/detach', ADMIN),
  row('gateway_endpoints.list_bindings', 'GET', '3.0/mlflow/gateway/endpoints/bindings/list', ADMIN),
  row('gateway_endpoints.chat_completions', 'POST', '/gateway/mlflow/v1/chat/completions', ADMIN, {
    body: 'stream',
  }),
  row('gateway_endpoints.openai_passthrough_chat', 'POST', '/gateway/openai/v1/chat/completions', ADMIN, {
    body: 'stream',
  }),
  row(
    'gateway_endpoints.openai_passthrough_responses_compact',
    'POST',
    '/gateway/openai/v1/responses/compact',
    ADMIN,
    { body: 'stream' },
  ),
  row('gateway_endpoints.add_guardrail_to', 'POST', '3.0/mlflow/gateway/guardrails/add-to-endpoint', ADMIN),
  row('gateway_endpoints.create', 'POST', '3.0/mlflow/gateway/endpoints/create', ADMIN),
  row('gateway_endpoints.delete', 'DELETE', '3.0/mlflow/gateway/endpoints/delete', ADMIN),
  row('gateway_endpoints.delete_tag', 'DELETE', '3.0/mlflow/gateway/endpoints/delete-tag', ADMIN),
  row('gateway_endpoints.get', 'GET', '3.0/mlflow/gateway/endpoints/get', ADMIN),
  row(
    'gateway_endpoints.list_guardrail_configs',
    'GET',
    '3.0/mlflow/gateway/guardrails/list-for-endpoint',
    ADMIN,
  ),
  row('gateway_endpoints.list', 'GET', '3.0/mlflow/gateway/endpoints/list', ADMIN),
  row(
    'gateway_endpoints.remove_guardrail_from',
    'DELETE',
    '3.0/mlflow/gateway/guardrails/remove-from-endpoint',
    ADMIN,
  ),
  row('gateway_endpoints.set_tag', 'POST', '3.0/mlflow/gateway/endpoints/set-tag', ADMIN),
  row(
    'gateway_endpoints.update_guardrail_config',
    'PATCH',
    '3.0/mlflow/gateway/guardrails/update-config',
    ADMIN,
  ),
  row('gateway_endpoints.update', 'POST', '3.0/mlflow/gateway/endpoints/update', ADMIN),
  row('gateway_endpoints.anthropic_passthrough_messages', 'POST', '/gateway/anthropic/v1/messages', ADMIN, {
    body: 'stream',
  }),
  row(
    'gateway_endpoints.gemini_passthrough_generate_content',
    'POST',
    '/gateway/gemini/v1beta/models/<endpoint_name>:generateContent',
    ADMIN,
    { body: 'stream' },
  ),
  row(
    'gateway_endpoints.gemini_passthrough_stream_generate_content',
    'POST',
    '/gateway/gemini/v1beta/models/<endpoint_name>:streamGenerateContent',
    ADMIN,
    { body: 'stream' },
  ),
  row('gateway_endpoints.list_models', 'GET', '/gateway/mlflow/v1/models', ADMIN),
  row('gateway_endpoints.openai_passthrough_embeddings', 'POST', '/gateway/openai/v1/embeddings', ADMIN, {
    body: 'stream',
  }),
  row('gateway_endpoints.openai_passthrough_responses', 'POST', '/gateway/openai/v1/responses', ADMIN, {
    body: 'stream',
  }),
  row('gateway_endpoints.typesafe_passthrough_system_one', 'POST', '/gateway/typesafe/v1/systemone', ADMIN, {
    body: 'stream',
  }),
  row('gateway_endpoints.invocations', 'POST', '/gateway/<endpoint_name>/mlflow/invocations', ADMIN, {
    body: 'stream',
  }),
  row('gateway_endpoints.raw_proxy', 'POST', '/gateway/proxy/<endpoint_name>/<path:path>', ADMIN, {
    body: 'stream',
  }),
  // gateway guardrail
  row('gateway_guardrails.create', 'POST', '3.0/mlflow/gateway/guardrails/create', ADMIN),
  row('gateway_guardrails.delete', 'DELETE', '3.0/mlflow/gateway/guardrails/delete', ADMIN),
  row('gateway_guardrails.get', 'GET', '3.0/mlflow/gateway/guardrails/get', ADMIN),
  row('gateway_guardrails.list', 'GET', '3.0/mlflow/gateway/guardrails/list', ADMIN),
  // gateway model definition
  row('gateway_model_definitions.create', 'POST', '3.0/mlflow/gateway/model-definitions/create', ADMIN),
  row('gateway_model_definitions.delete', 'DELETE', '3.0/mlflow/gateway/model-definitions/delete', ADMIN),
  row('gateway_model_definitions.get', 'GET', '3.0/mlflow/gateway/model-definitions/get', ADMIN),
  row('gateway_model_definitions.list', 'GET', '3.0/mlflow/gateway/model-definitions/list', ADMIN),
  row('gateway_model_definitions.update', 'POST', '3.0/mlflow/gateway/model-definitions/update', ADMIN),
  // gateway proxy
  row('gateway_proxy.gateway_proxy', 'GET|POST', 'ajax:2.0/mlflow/gateway-proxy', ADMIN),
  // gateway secret
  row('gateway_secrets.create', 'POST', '3.0/mlflow/gateway/secrets/create', ADMIN),
  row('gateway_secrets.delete', 'DELETE', '3.0/mlflow/gateway/secrets/delete', ADMIN),
  row('gateway_secrets.get_info', 'GET', '3.0/mlflow/gateway/secrets/get', ADMIN),
  row('gateway_secrets.list_infos', 'GET', '3.0/mlflow/gateway/secrets/list', ADMIN),
  row('gateway_secrets.update', 'POST', '3.0/mlflow/gateway/secrets/update', ADMIN),
]

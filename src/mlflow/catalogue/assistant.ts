import type { Operation } from '../operation.ts'
import { ADMIN, onlyIf, row, SIGNED_IN } from '../row.ts'

const ASSISTANT = { rules: [onlyIf('assistant')] }

/**
 * The assistant runs tools on the server's host: off for everybody unless switched on, and the interface is told that there is none.
 * Rows with more literal segments come first, as MLflow's own routers prefer them.
 */
export const ASSISTANT_ROWS: readonly Operation[] = [
  // assistant
  row(
    'assistant.install_skills_endpoint',
    'POST',
    'ajax:3.0/mlflow/assistant/skills/install',
    ADMIN,
    ASSISTANT,
  ),
  row(
    'assistant.list_provider_models',
    'GET',
    'ajax:3.0/mlflow/assistant/providers/<provider>/models',
    ADMIN,
    { ...ASSISTANT, since: '3.17.2' },
  ),
  row(
    'assistant.provider_health_check',
    'GET',
    'ajax:3.0/mlflow/assistant/providers/<provider>/health',
    ADMIN,
    ASSISTANT,
  ),
  row(
    'assistant.resolve_client_tool_result',
    'POST',
    'ajax:3.0/mlflow/assistant/sessions/<session_id>/tool-result',
    ADMIN,
    { ...ASSISTANT, since: '3.17.2' },
  ),
  row(
    'assistant.resolve_permission',
    'POST',
    'ajax:3.0/mlflow/assistant/sessions/<session_id>/permission',
    ADMIN,
    { ...ASSISTANT, since: '3.17.2' },
  ),
  row(
    'assistant.stream_response',
    'GET',
    'ajax:3.0/mlflow/assistant/sessions/<session_id>/stream',
    ADMIN,
    ASSISTANT,
  ),
  row('assistant.get_config', 'GET', 'ajax:3.0/mlflow/assistant/config', SIGNED_IN, {
    answer: { providers: {}, projects: {}, remote_access_allowed: false },
  }),
  row('assistant.get_providers', 'GET', 'ajax:3.0/mlflow/assistant/providers', SIGNED_IN, {
    since: '3.17.2',
    answer: { providers: [], resolved: null, gateway_vendor_options: {} },
  }),
  row(
    'assistant.patch_session',
    'PATCH',
    'ajax:3.0/mlflow/assistant/sessions/<session_id>',
    ADMIN,
    ASSISTANT,
  ),
  row('assistant.send_message', 'POST', 'ajax:3.0/mlflow/assistant/message', ADMIN, ASSISTANT),
  row('assistant.update_config', 'PUT', 'ajax:3.0/mlflow/assistant/config', ADMIN, ASSISTANT),
]

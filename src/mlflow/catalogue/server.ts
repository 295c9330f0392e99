import type { Operation } from '../operation.ts'
import { ADMIN, outboundUrl, read, row, SIGNED_IN, workspace } from '../row.ts'
import { parseSelector } from '../selector.ts'

/**
 * What belongs to the server as a whole.
 * Rows with more literal segments come first, as MLflow's own routers prefer them.
 */
export const SERVER_ROWS: readonly Operation[] = [
  // webhook
  row('webhooks.test', 'POST', '2.0/mlflow/webhooks/<webhook_id>/test', ADMIN),
  row('webhooks.create', 'POST', '2.0/mlflow/webhooks', ADMIN, { rules: [outboundUrl('url')] }),
  row('webhooks.delete', 'DELETE', '2.0/mlflow/webhooks/<webhook_id>', ADMIN),
  row('webhooks.get', 'GET', '2.0/mlflow/webhooks/<webhook_id>', ADMIN),
  row('webhooks.list', 'GET', '2.0/mlflow/webhooks', ADMIN),
  row('webhooks.update', 'PATCH', '2.0/mlflow/webhooks/<webhook_id>', ADMIN, {
    rules: [outboundUrl('url?')],
  }),
  // workspace
  row('workspaces.create', 'POST', '3.0/mlflow/workspaces', ADMIN),
  row('workspaces.delete', 'DELETE', '3.0/mlflow/workspaces/<workspace_name>', ADMIN, {
    effects: [{ kind: 'forget_workspace', selector: parseSelector('path:workspace_name') }],
  }),
  row('workspaces.get', 'GET', '3.0/mlflow/workspaces/<workspace_name>', [
    SIGNED_IN,
    read(workspace('path:workspace_name')),
  ]),
  row('workspaces.list', 'GET', '3.0/mlflow/workspaces', SIGNED_IN, {
    list: { field: 'workspaces', rows: 'workspace', pages: 'none' },
  }),
  row('workspaces.update', 'PATCH', '3.0/mlflow/workspaces/<workspace_name>', ADMIN),
]

import type { Operation } from '../operation.ts'
import { NOBODY, PUBLIC, row, SIGNED_IN } from '../row.ts'

/** The web interface and what it needs to start; nothing in it belongs to a tenant. */
export const INTERFACE: readonly Operation[] = [
  row('ui.shell', 'GET', '/', SIGNED_IN, { shell: true }),
  row('ui.static_file', 'GET', '/static-files/<path:path>', PUBLIC, { cacheable: true }),
  row('ui.build_file', 'GET', '/build/<path:filename>', NOBODY),
  row('ui.get_telemetry', 'GET', 'ajax:3.0/mlflow/ui-telemetry', SIGNED_IN, { since: '3.10.1' }),
  row('ui.post_telemetry', 'POST', 'ajax:3.0/mlflow/ui-telemetry', SIGNED_IN, { since: '3.10.1' }),
  row('ops.server_info', 'GET', '3.0/mlflow/server-info', PUBLIC, { since: '3.10.1' }),
  row('ops.health', 'GET', '/health', PUBLIC),
  row('ops.version', 'GET', '/version', SIGNED_IN),
]

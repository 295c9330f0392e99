import { ADMIN, type Operation, row } from '../operation.ts'

/**
 * MCP servers, their versions and access endpoints.
 * Rows with more literal segments come first, as MLflow's own routers prefer them.
 */
export const MCP_SERVERS: readonly Operation[] = [
  // mcp server
  row(
    'mcp_servers.delete_version_tag',
    'DELETE',
    '3.0/mlflow/mcp-servers/<path:name>/versions/<path:version>/tags/<path:key>',
    ADMIN,
  ),
  row(
    'mcp_servers.set_version_tag',
    'POST',
    '3.0/mlflow/mcp-servers/<path:name>/versions/<path:version>/tags',
    ADMIN,
  ),
  row('mcp_servers.search_all_access_endpoints', 'GET', '3.0/mlflow/mcp-servers/endpoints', ADMIN),
  row('mcp_servers.create_access_endpoint', 'POST', '3.0/mlflow/mcp-servers/<path:name>/endpoints', ADMIN),
  row('mcp_servers.create_version', 'POST', '3.0/mlflow/mcp-servers/<path:name>/versions', ADMIN),
  row(
    'mcp_servers.delete_access_endpoint',
    'DELETE',
    '3.0/mlflow/mcp-servers/<path:name>/endpoints/<endpoint_id>',
    ADMIN,
  ),
  row('mcp_servers.delete_alias', 'DELETE', '3.0/mlflow/mcp-servers/<path:name>/aliases/<path:alias>', ADMIN),
  row('mcp_servers.delete_tag', 'DELETE', '3.0/mlflow/mcp-servers/<path:name>/tags/<path:key>', ADMIN),
  row(
    'mcp_servers.delete_version',
    'DELETE',
    '3.0/mlflow/mcp-servers/<path:name>/versions/<path:version>',
    ADMIN,
  ),
  row(
    'mcp_servers.get_access_endpoint',
    'GET',
    '3.0/mlflow/mcp-servers/<path:name>/endpoints/<endpoint_id>',
    ADMIN,
  ),
  row('mcp_servers.get_version', 'GET', '3.0/mlflow/mcp-servers/<path:name>/versions/<path:version>', ADMIN),
  row(
    'mcp_servers.get_version_by_alias',
    'GET',
    '3.0/mlflow/mcp-servers/<path:name>/aliases/<path:alias>',
    ADMIN,
  ),
  row('mcp_servers.search_versions', 'GET', '3.0/mlflow/mcp-servers/<path:name>/versions', ADMIN),
  row('mcp_servers.search_access_endpoints', 'GET', '3.0/mlflow/mcp-servers/<path:name>/endpoints', ADMIN),
  row('mcp_servers.set_alias', 'POST', '3.0/mlflow/mcp-servers/<path:name>/aliases', ADMIN),
  row('mcp_servers.set_tag', 'POST', '3.0/mlflow/mcp-servers/<path:name>/tags', ADMIN),
  row(
    'mcp_servers.update_access_endpoint',
    'PATCH',
    '3.0/mlflow/mcp-servers/<path:name>/endpoints/<endpoint_id>',
    ADMIN,
  ),
  row(
    'mcp_servers.update_version',
    'PATCH',
    '3.0/mlflow/mcp-servers/<path:name>/versions/<path:version>',
    ADMIN,
  ),
  row('mcp_servers.create', 'POST', '3.0/mlflow/mcp-servers', ADMIN),
  row('mcp_servers.search', 'GET', '3.0/mlflow/mcp-servers', ADMIN),
  row('mcp_servers.delete', 'DELETE', '3.0/mlflow/mcp-servers/<path:name>', ADMIN),
  row('mcp_servers.get', 'GET', '3.0/mlflow/mcp-servers/<path:name>', ADMIN),
  row('mcp_servers.update', 'PATCH', '3.0/mlflow/mcp-servers/<path:name>', ADMIN),
]

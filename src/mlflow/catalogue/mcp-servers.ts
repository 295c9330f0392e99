import type { Effect, ListSpec, Operation } from '../operation.ts'
import {
  create,
  mcpServer,
  mcpServerBeside,
  mcpServerName,
  mcpServerToCreate,
  mcpServerToUpdate,
  notDenied,
  read,
  remove,
  row,
  SIGNED_IN,
  update,
  withAll,
} from '../row.ts'
import { parseSelector } from '../selector.ts'
import { withheld } from '../withhold.ts'

const BASE = '3.0/mlflow/mcp-servers'
const IT = mcpServer('path:name')
const VERSION = { tier: 'version' } as const

/** What an access endpoint tells of the version it leads to (`_MCP_VERSION_PASSENGER_FIELDS`, mlflow/server/auth, 3.17.2). */
const withholdsVersion = (at: string) => [
  withheld(at, ['resolved_version', 'tools', 'server_version', 'server_alias'], {
    tier: 'mcp_server_version',
  }),
]

/** A version that a request picks rows by, or binds to, must not be denied. */
const picksVersion = [
  ...notDenied(mcpServerBeside('query:server_version?'), 'version'),
  ...notDenied(mcpServerBeside('query:server_alias?'), 'version'),
  ...notDenied(mcpServerBeside('mention:filter_string#status?'), 'version'),
]
const bindsVersion = [
  ...notDenied(mcpServerBeside('server_version?'), 'version'),
  ...notDenied(mcpServerBeside('server_alias?'), 'version'),
]

const managedByCreator: Effect = { kind: 'grant_creator', type: 'mcp_server', at: ['name'] }
const forgetServer: readonly Effect[] = [
  { kind: 'forget_answer', about: 'mcp_server', selector: parseSelector('path:name') },
  { kind: 'forget_grants', type: 'mcp_server', selector: parseSelector('path:name') },
]

const listOf = (field: string, rows: ListSpec['rows'], cap: number): ListSpec => ({
  ...{ field, rows, pages: 'token', defaultSize: 100, cap, keepsEmpty: true },
})

/**
 * MCP servers, their versions and access endpoints. The names of all are the paths of FastAPI's greedy parameters: rows
 * stand in the order of its routes, where the first that fits counts, and a name that is not two segments is refused.
 */
export const MCP_SERVERS: readonly Operation[] = [
  row('mcp_servers.create', 'POST', BASE, create(mcpServerName('name')), { effects: [managedByCreator] }),
  row('mcp_servers.search', 'GET', BASE, SIGNED_IN, {
    repeated: ['order_by'],
    list: listOf('mcp_servers', 'mcp_server', 1000),
    withhold: withholdsVersion('mcp_servers[].access_endpoints[]'),
  }),
  row('mcp_servers.search_all_access_endpoints', 'GET', `${BASE}/endpoints`, [SIGNED_IN, picksVersion], {
    repeated: ['order_by'],
    list: listOf('mcp_access_endpoints', 'mcp_access_endpoint', 50_000),
    withhold: withholdsVersion('mcp_access_endpoints[]'),
  }),
  row(
    'mcp_servers.set_version_tag',
    'POST',
    `${BASE}/<path:name>/versions/<path:version>/tags`,
    update(IT, VERSION),
  ),
  row(
    'mcp_servers.delete_version_tag',
    'DELETE',
    `${BASE}/<path:name>/versions/<path:version>/tags/<path:key>`,
    remove(IT, VERSION),
  ),
  row('mcp_servers.get_version', 'GET', `${BASE}/<path:name>/versions/<path:version>`, read(IT, VERSION)),
  row(
    'mcp_servers.update_version',
    'PATCH',
    `${BASE}/<path:name>/versions/<path:version>`,
    update(IT, VERSION),
  ),
  row(
    'mcp_servers.delete_version',
    'DELETE',
    `${BASE}/<path:name>/versions/<path:version>`,
    remove(IT, VERSION),
  ),
  row(
    'mcp_servers.create_version',
    'POST',
    `${BASE}/<path:name>/versions`,
    [
      update(mcpServerToUpdate('path:name')),
      create(mcpServerToCreate('path:name')),
      notDenied(IT, 'version'),
    ],
    {
      effects: [
        {
          kind: 'create_first',
          path: BASE,
          field: 'name',
          selector: parseSelector('path:name'),
          effect: managedByCreator,
        },
      ],
    },
  ),
  row('mcp_servers.search_versions', 'GET', `${BASE}/<path:name>/versions`, read(IT, VERSION), {
    repeated: ['order_by'],
  }),
  row(
    'mcp_servers.create_access_endpoint',
    'POST',
    `${BASE}/<path:name>/endpoints`,
    [update(IT), bindsVersion],
    { withhold: withholdsVersion('') },
  ),
  row('mcp_servers.get_access_endpoint', 'GET', `${BASE}/<path:name>/endpoints/<endpoint_id>`, read(IT), {
    withhold: withholdsVersion(''),
  }),
  row(
    'mcp_servers.update_access_endpoint',
    'PATCH',
    `${BASE}/<path:name>/endpoints/<endpoint_id>`,
    [update(IT), bindsVersion],
    { withhold: withholdsVersion('') },
  ),
  row(
    'mcp_servers.delete_access_endpoint',
    'DELETE',
    `${BASE}/<path:name>/endpoints/<endpoint_id>`,
    withAll(remove(IT), 'version'),
  ),
  row(
    'mcp_servers.search_access_endpoints',
    'GET',
    `${BASE}/<path:name>/endpoints`,
    [read(IT), picksVersion],
    { repeated: ['order_by'], withhold: withholdsVersion('mcp_access_endpoints[]') },
  ),
  row('mcp_servers.set_tag', 'POST', `${BASE}/<path:name>/tags`, update(IT)),
  row(
    'mcp_servers.delete_tag',
    'DELETE',
    `${BASE}/<path:name>/tags/<path:key>`,
    withAll(remove(IT), 'version'),
  ),
  row('mcp_servers.set_alias', 'POST', `${BASE}/<path:name>/aliases`, [update(IT), read(IT, VERSION)]),
  row('mcp_servers.get_version_by_alias', 'GET', `${BASE}/<path:name>/aliases/<path:alias>`, [
    read(IT),
    read(IT, VERSION),
  ]),
  row('mcp_servers.delete_alias', 'DELETE', `${BASE}/<path:name>/aliases/<path:alias>`, [
    remove(IT),
    read(IT, VERSION),
  ]),
  row('mcp_servers.get', 'GET', `${BASE}/<path:name>`, read(IT), {
    withhold: withholdsVersion('access_endpoints[]'),
  }),
  row('mcp_servers.update', 'PATCH', `${BASE}/<path:name>`, update(IT), {
    withhold: withholdsVersion('access_endpoints[]'),
  }),
  row('mcp_servers.delete', 'DELETE', `${BASE}/<path:name>`, withAll(remove(IT), 'version'), {
    effects: forgetServer,
  }),
]

import { GatewayError } from '../../errors.ts'
import type { ResourceRef } from '../../policy/access.ts'
import type { Locate, Locating } from '../locate.ts'
import { judgedBy, type RowSpec } from '../row-spec.ts'

export type McpServerKind =
  | 'mcp_server'
  | 'mcp_server_name'
  | 'mcp_server_to_update'
  | 'mcp_server_to_create'
  | 'mcp_server_beside'

/**
 * Names as MLflow takes them (`validate_mcp_server_name`, 3.17.2): two segments, the second not one of those that its
 * routes are told apart by. No other name can exist, and FastAPI could divide the path around one in another way.
 */
const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])\/[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])$/
const RESERVED = /\/(?:aliases|endpoints|tags|versions)$/

function checkedName(name: string): string {
  if (!NAME.test(name) || RESERVED.test(name)) {
    throw new GatewayError(
      'ERR_INVALID_PARAMETER',
      "Invalid name of an MCP server: '<reverse-dns namespace>/<server slug>' is expected",
    )
  }
  return name
}

/** MCP servers by name. */
export const MCP_SERVER_LOCATORS: Readonly<Record<McpServerKind, Locate>> = {
  mcp_server: serverNamed,
  /** One that is made under that name. */
  mcp_server_name: (name) => named(checkedName(name)),
  /** A version is made for a server that is there, or for one that is made with it: one of the two asks for something. */
  mcp_server_to_update: async (name, locating) =>
    (await exists(name, locating)) ? serverNamed(name, locating) : [],
  mcp_server_to_create: async (name, locating) => ((await exists(name, locating)) ? [] : named(name)),
  /** The server that the path names if it names one, else whichever; for what a request says of a version. */
  mcp_server_beside: (_, locating, call) => {
    const name = call.params['name']
    return name === undefined ? NO_SERVER : serverNamed(name, locating)
  },
}

const NO_SERVER: ResourceRef = { type: 'mcp_server', key: undefined }

function named(name: string): ResourceRef {
  return { type: 'mcp_server', key: name, name }
}

async function serverNamed(name: string, { lookup }: Locating): Promise<ResourceRef> {
  const found = await lookup.about('mcp_server', checkedName(name))
  return found === undefined ? NO_SERVER : named(found.name)
}

async function exists(name: string, { lookup }: Locating): Promise<boolean> {
  return (await lookup.about('mcp_server', checkedName(name))) !== undefined
}

const bySaid = (field: string): RowSpec =>
  judgedBy([field], {
    types: ['mcp_server'],
    resourceOf: ({ [field]: name }) => (typeof name === 'string' ? named(name) : undefined),
  })

export type McpServerRow = 'mcp_server' | 'mcp_access_endpoint'

export const MCP_SERVER_ROWS: Readonly<Record<McpServerRow, RowSpec>> = {
  mcp_server: bySaid('name'),
  mcp_access_endpoint: bySaid('server_name'),
}

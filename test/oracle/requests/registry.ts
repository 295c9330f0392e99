import type { Context, Template, Templates } from '../request.ts'
import { MCP_SERVER_JSON } from '../seed.ts'

const IS_PROMPT = { key: 'mlflow.prompt.is_prompt', value: 'true' }
type Name = (context: Context) => string
const modelName: Name = ({ it }) => it.model
const promptName: Name = ({ it }) => it.prompt

/** What is asked of registered models and of prompts in the same words. */
function registered(name: Name, suffix: string): Templates {
  const json =
    (more: object | ((context: Context) => object) = {}): Template =>
    (context) => ({
      json: { name: name(context), ...(typeof more === 'function' ? more(context) : more) },
    })
  const query =
    (more: Readonly<Record<string, string>> = {}): Template =>
    (context) => ({ query: { name: name(context), ...more } })
  const version = { version: '1' }
  const templates: Templates = {
    DeleteRegisteredModel: json(),
    DeleteRegisteredModelAlias: json({ alias: 'best' }),
    DeleteRegisteredModelTag: json({ key: 'k' }),
    GetRegisteredModel: query(),
    RenameRegisteredModel: json(({ fresh }) => ({ new_name: `renamed_${fresh}` })),
    SetRegisteredModelAlias: json({ alias: 'new', ...version }),
    SetRegisteredModelTag: json({ key: 'k', value: 'new' }),
    UpdateRegisteredModel: json({ description: 'new' }),
    DeleteModelVersion: json(version),
    DeleteModelVersionTag: json({ ...version, key: 'k' }),
    'GetLatestVersions|GET': query(),
    'GetLatestVersions|POST': json(),
    GetModelVersion: query(version),
    GetModelVersionByAlias: query({ alias: 'best' }),
    GetModelVersionDownloadUri: query(version),
    SetModelVersionTag: json({ ...version, key: 'k', value: 'new' }),
    TransitionModelVersionStage: json({ ...version, stage: 'Production', archive_existing_versions: false }),
    UpdateModelVersion: json({ ...version, description: 'new' }),
  }
  return Object.fromEntries(
    Object.entries(templates).map(([key, template]) => {
      const [operation, method] = key.split('|')
      return [`${operation}${suffix}${method === undefined ? '' : `|${method}`}`, template]
    }),
  )
}

const version =
  (source: (context: Context) => object): Template =>
  (context) => ({ json: { name: context.it.model, ...source(context) } })

const server: Template = ({ it }) => ({ params: { name: it.mcpServer } })
const serverVersion: Template = ({ it }) => ({ params: { name: it.mcpServer, version: '1.0.0' } })
const accessEndpoint: Template = ({ it }) => ({
  params: { name: it.mcpServer, endpoint_id: it.accessEndpoint },
})
const saying =
  (path: Template, json: (context: Context) => object): Template =>
  (context) => ({ ...path(context), json: json(context) })
const more = (path: Template, params: Readonly<Record<string, string>>): Template => {
  return (context) => ({ params: { ...path(context).params, ...params } })
}
const newTag = () => ({ key: 'new', value: 'v' })

/** Registered models, prompts, MCP servers, webhooks. */
export const REGISTRY: Templates = {
  ...registered(modelName, ''),
  ...registered(promptName, '/a prompt'),
  CreateRegisteredModel: ({ fresh }) => ({ json: { name: `new_${fresh}` } }),
  'CreateRegisteredModel/a prompt': ({ fresh }) => ({ json: { name: `new_${fresh}`, tags: [IS_PROMPT] } }),
  SearchRegisteredModels: () => ({ query: { max_results: '100' } }),
  'SearchRegisteredModels/prompts': () => ({
    query: { max_results: '100', filter: "tags.`mlflow.prompt.is_prompt` = 'true'" },
  }),
  SearchModelVersions: () => ({ query: { max_results: '100' } }),
  'SearchModelVersions/of one': ({ it }) => ({ query: { max_results: '100', filter: `name='${it.model}'` } }),
  CreateModelVersion: version(({ it }) => ({ source: `runs:/${it.run}/file.txt`, run_id: it.run })),
  "CreateModelVersion/from another's run": version(({ others }) => ({
    ...{ source: `runs:/${others.run}/file.txt`, run_id: others.run },
  })),
  'CreateModelVersion/from a logged model': version(({ it }) => ({
    ...{ source: `models:/${it.loggedModel}`, model_id: it.loggedModel },
  })),
  "CreateModelVersion/from another's model": version(({ others }) => ({
    source: `models:/${others.model}/1`,
  })),
  'CreateModelVersion/a prompt': ({ it }) => ({
    json: {
      ...{ name: it.prompt, source: 'prompt-template' },
      tags: [IS_PROMPT, { key: 'mlflow.prompt.text', value: 't' }],
    },
  }),

  create_mcp_access_endpoint: saying(server, ({ fresh }) => ({
    ...{ server_version: '1.0.0', url: `https://${fresh}.invalid/`, transport_type: 'streamable-http' },
  })),
  create_mcp_server: ({ fresh }) => ({ json: { name: `mcp.invalid/new-${fresh}` } }),
  create_mcp_server_version: saying(server, ({ it }) => ({
    server_json: MCP_SERVER_JSON(it.mcpServer, '2.0.0'),
  })),
  'create_mcp_server_version/of a new server': ({ fresh }) => ({
    params: { name: `mcp.invalid/new-${fresh}` },
    json: { server_json: MCP_SERVER_JSON(`mcp.invalid/new-${fresh}`, '1.0.0') },
  }),
  delete_mcp_access_endpoint: accessEndpoint,
  delete_mcp_server: server,
  delete_mcp_server_alias: more(server, { alias: 'best' }),
  delete_mcp_server_tag: more(server, { key: 'k' }),
  delete_mcp_server_version: serverVersion,
  delete_mcp_server_version_tag: more(serverVersion, { key: 'k' }),
  get_mcp_access_endpoint: accessEndpoint,
  get_mcp_server: server,
  get_mcp_server_version: serverVersion,
  get_version_by_alias: more(server, { alias: 'best' }),
  search_all_access_endpoints: () => ({}),
  search_mcp_server_versions: server,
  search_mcp_servers: () => ({}),
  search_server_access_endpoints: server,
  set_mcp_server_alias: saying(server, () => ({ alias: 'new', version: '1.0.0' })),
  set_mcp_server_tag: saying(server, newTag),
  set_mcp_server_version_tag: saying(serverVersion, newTag),
  update_mcp_access_endpoint: saying(accessEndpoint, () => ({ url: 'https://new.invalid/' })),
  update_mcp_server: saying(server, () => ({ description: 'new' })),
  update_mcp_server_version: saying(serverVersion, () => ({ status: 'deprecated' })),

  CreateWebhook: ({ fresh }) => ({
    json: {
      ...{ name: `webhook_${fresh}`, url: 'https://127.0.0.1:1/' },
      events: [{ entity: 'REGISTERED_MODEL', action: 'CREATED' }],
    },
  }),
  DeleteWebhook: ({ it }) => ({ params: { webhook_id: it.webhook } }),
  GetWebhook: ({ it }) => ({ params: { webhook_id: it.webhook } }),
  ListWebhooks: () => ({}),
  TestWebhook: ({ it }) => ({
    params: { webhook_id: it.webhook },
    json: { event: { entity: 'REGISTERED_MODEL', action: 'CREATED' } },
  }),
  UpdateWebhook: ({ it }) => ({ params: { webhook_id: it.webhook }, json: { description: 'new' } }),
}

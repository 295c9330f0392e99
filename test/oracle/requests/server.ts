import type { Template, Templates } from '../request.ts'

const provider: Template = () => ({ params: { provider: 'claude_code' } })
const session =
  (json?: object): Template =>
  () => ({ params: { session_id: '00000000-0000-4000-8000-000000000000' }, ...(json && { json }) })

/** The server itself: its pages, the assistant, demo data, workspaces. */
export const SERVER: Templates = {
  get_config: () => ({}),
  get_providers: () => ({}),
  // Without what it asks for: with it, MLflow would write into the home of whoever runs the test.
  install_skills_endpoint: () => ({ json: { type: 'nowhere' } }),
  list_provider_models: provider,
  patch_session: session({ status: 'x' }),
  provider_health_check: provider,
  resolve_client_tool_result: session({}),
  resolve_permission: session({}),
  send_message: () => ({ json: {} }),
  stream_response: session(),
  update_config: () => ({ json: { providers: 'not an object' } }),
  _delete_demo: () => ({ json: {} }),
  _generate_demo: () => ({ json: { features: [] } }),
  get_server_info: () => ({}),
  health: () => ({}),
  version: () => ({}),
  serve: () => ({}),
  serve_get_ui_telemetry: () => ({}),
  serve_post_ui_telemetry: () => ({ json: { records: [] } }),
  serve_static_file: () => ({ params: { path: 'favicon.ico' } }),
  static: () => ({ params: { filename: 'index.html' } }),
  CreateWorkspace: ({ fresh }) => ({ json: { name: `w${fresh.replaceAll('_', '-')}` } }),
  DeleteWorkspace: () => ({ params: { workspace_name: 'default' } }),
  GetWorkspace: () => ({ params: { workspace_name: 'default' } }),
  ListWorkspaces: () => ({}),
  UpdateWorkspace: () => ({ params: { workspace_name: 'default' }, json: { description: 'new' } }),
}

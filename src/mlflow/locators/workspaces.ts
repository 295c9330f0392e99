import { type Locate, SERVER } from '../locate.ts'

export type WorkspaceKind = 'workspace'

/** Workspaces: their members may look at them, all else is for administrators. */
export const WORKSPACE_LOCATORS: Readonly<Record<WorkspaceKind, Locate>> = {
  workspace: (name, { isMemberOf }) => (isMemberOf?.(name) ? [] : SERVER),
}

import { DEFAULT_WORKSPACE } from '../../policy/grants.ts'
import { LONGEST_WORKSPACE } from '../../policy/workspace-name.ts'
import { type Html, html } from '../html.ts'
import { option, type View } from './view.ts'

/**
 * The workspace that a page is about: the one asked for, else the first that the person administers, else the default one.
 * Undefined while none are kept apart.
 */
export function chosenWorkspace({ isWorkspacesOn, administered, query }: View): string | undefined {
  if (!isWorkspacesOn) return undefined
  return query['workspace'] || administered[0] || DEFAULT_WORKSPACE
}

/** A field to name a workspace with: of one's own where one administers some only. Nothing while none are kept apart. */
export function workspaceField(
  { isWorkspacesOn, administered }: Pick<View, 'isWorkspacesOn' | 'administered'>,
  name: 'workspace' | 'b.workspace',
  chosen: string | undefined,
): Html | undefined {
  if (!isWorkspacesOn) return undefined
  const id = name.replace('.', '-')
  const field =
    administered.length > 0
      ? html`<select id="${id}" name="${name}">${administered.map((each) => option(each, chosen))}</select>`
      : html`<input type="text" id="${id}" name="${name}" value="${chosen}" maxlength="${LONGEST_WORKSPACE}" placeholder="${DEFAULT_WORKSPACE}" autocomplete="off">`
  return html`<div class="field"><label for="${id}">Workspace</label>${field}</div>`
}

/** The workspace as a member of what is asked or linked to; no member while none are kept apart. */
export function inWorkspace(workspace: string | undefined): { readonly workspace?: string } {
  return workspace === undefined ? {} : { workspace }
}

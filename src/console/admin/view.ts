import { NO_PROVIDER } from '../../admin/group.ts'
import type { Principal } from '../../identity/principal.ts'
import { DEFAULT_WORKSPACE } from '../../policy/grants.ts'
import { ownPath } from '../assets.ts'
import { type Html, html } from '../html.ts'
import { page } from '../layout.ts'
import type { Consult, Json, JsonValue } from './consult.ts'

/** What a page is made from. */
export type View = {
  readonly publicUrl: URL
  readonly principal: Principal
  /** True if workspaces are kept apart. */
  readonly isWorkspacesOn: boolean
  /** Workspaces that the person administers without administering the gateway. */
  readonly administered: readonly string[]
  /** Ids of the configured providers. */
  readonly providers: readonly string[]
  /** The value every form on the page carries. */
  readonly formToken: string
  readonly consult: Consult
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string | undefined>>
  /** The page's own address, for forms to come back to. */
  readonly here: string
  /** Seconds since the epoch. */
  readonly now: number
}

/** Sections of the console, as its navigation shows them. */
const SECTIONS = [
  ['/auth/admin', 'Overview', 'admin'],
  ['/auth/admin/people', 'People', 'admin'],
  ['/auth/admin/groups', 'Groups', 'admin'],
  ['/auth/admin/roles', 'Roles', 'workspace_admin'],
  ['/auth/admin/access', 'Access', 'workspace_admin'],
  ['/auth/admin/requests', 'Requests', 'admin'],
  ['/auth/admin/audit', 'Audit', 'admin'],
  ['/auth/admin/explain', 'Explain', 'workspace_admin'],
] as const

export type Section = (typeof SECTIONS)[number][0]

/** A page of the console. */
export function adminPage(
  view: View,
  section: Section,
  { title, body }: { title: string; body: Html },
): string {
  const { publicUrl, principal } = view
  return page({
    title,
    publicUrl,
    username: principal.username,
    wide: true,
    body: html`<nav class="sections" aria-label="Console"><ul>
${SECTIONS.filter(([, , who]) => principal.isAdmin || who === 'workspace_admin').map(
  ([path, name]) =>
    html`<li><a href="${ownPath(publicUrl, path)}"${path === section ? html` aria-current="page"` : undefined}>${name}</a></li>`,
)}
</ul></nav>
${body}`,
  })
}

/** The text of a member; empty for what is not there. */
export function text(object: Json, name: string): string {
  const value = object[name]
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

/** The objects in a list; none for what is not a list. */
export function items(object: Json, name: string): readonly Json[] {
  const value: JsonValue | undefined = object[name]
  return Array.isArray(value)
    ? value.filter((each): each is Json => typeof each === 'object' && each !== null)
    : []
}

export function number(object: Json, name: string): number | undefined {
  const value = object[name]
  return typeof value === 'number' ? value : undefined
}

/** A path of ours with a query, without what is empty. */
export function address(
  publicUrl: URL,
  path: `/${string}`,
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => Boolean(entry[1]))
  const search = new URLSearchParams(given).toString()
  return `${ownPath(publicUrl, path)}${search === '' ? '' : `?${search}`}`
}

/** A group or username with the provider that vouches for it, if it names one. */
export function qualified(thing: Json): string {
  return text(thing, 'provider') === ''
    ? text(thing, 'name')
    : `${text(thing, 'provider')}:${text(thing, 'name')}`
}

/** The page of a group. In the query, since a group may be called `..` too. */
export function groupAddress(publicUrl: URL, group: Json): string {
  const provider = text(group, 'provider') || NO_PROVIDER
  return address(publicUrl, '/auth/admin/groups', { provider, name: text(group, 'name') })
}

export type ActionForm = {
  /** Name of the endpoint. */
  readonly name: string
  readonly params?: Readonly<Record<string, string>>
  /** ETag of what is changed, if the endpoint asks for one. */
  readonly match?: string
  /** Where to go afterwards; back to this page if absent. */
  readonly next?: `/${string}`
  readonly fields?: Html
  readonly label: string
  readonly look?: 'danger' | 'quiet'
  /** What a screen reader says instead of the label. */
  readonly spoken?: string
}

/** A form that has an endpoint of the JSON API do something. */
export function actionForm({ publicUrl, formToken, here }: View, form: ActionForm): Html {
  return html`<form method="post" action="${ownPath(publicUrl, '/auth/admin/do/')}${form.name}" class="${form.fields === undefined ? 'inline' : 'fields'}">
<input type="hidden" name="form_token" value="${formToken}">
<input type="hidden" name="next" value="${form.next === undefined ? here : ownPath(publicUrl, form.next)}">
${form.match === undefined ? undefined : html`<input type="hidden" name="match" value="${form.match}">`}
${Object.entries(form.params ?? {}).map(([name, value]) => html`<input type="hidden" name="p.${name}" value="${value}">`)}
${form.fields}
<button type="submit"${form.look === undefined ? undefined : html` class="${form.look}"`}${form.spoken === undefined ? undefined : html` aria-label="${form.spoken}"`}>${form.label}</button>
</form>`
}

/** A level as a mark that is told apart by letter and by colour. */
export function levelMark(level: string): Html {
  const short = { NO_PERMISSIONS: '–', DENY: '×' }[level] ?? level.slice(0, 1)
  return html`<span class="level ${level.toLowerCase()}" title="${level}"><span aria-hidden="true">${short}</span><span class="unseen">${level}</span></span>`
}

/** @returns e.g. `EDIT on experiments named alpha/*`. */
export function grantText(grant: Json): string {
  const type = text(grant, 'resource_type').replaceAll('_', ' ')
  const pattern = text(grant, 'pattern')
  const what =
    text(grant, 'match') === 'any'
      ? `every ${type}`
      : `${type} ${text(grant, 'match') === 'exact' ? pattern : `named ${pattern}`}`
  const workspace = text(grant, 'workspace')
  if (type === 'workspace') return `${text(grant, 'level')} on workspace ${workspace || DEFAULT_WORKSPACE}`
  return `${text(grant, 'level')} on ${what}${workspace === '' ? '' : ` in workspace ${workspace}`}`
}

/** Somebody's name, as a link for those who may follow it. */
export function personLink({ publicUrl, principal }: View, id: string, username: string): Html {
  if (!principal.isAdmin) return html`${username}`
  return html`<a href="${ownPath(publicUrl, `/auth/admin/people/${encodeURIComponent(id)}`)}">${username}</a>`
}

/** @returns e.g. `by group ml-team`. */
export function viaText(via: Json): string {
  const name = `${text(via, 'provider')}:${text(via, 'name')}`
  return (
    { group: `by group ${name}`, name: `by username ${name}`, personal: 'granted directly' }[
      text(via, 'kind')
    ] ?? 'assigned'
  )
}

export function option(value: string, chosen: string | undefined, label = value): Html {
  return html`<option value="${value}"${value === chosen ? html` selected` : undefined}>${label}</option>`
}

/** With commas between them. */
export function listed(links: readonly Html[]): Html {
  return html`${links.map((link, index) => html`${index > 0 ? ', ' : undefined}${link}`)}`
}

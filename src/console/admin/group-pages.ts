import { NO_PROVIDER } from '../../admin/group.ts'
import { ownPath } from '../assets.ts'
import { type Html, html } from '../html.ts'
import type { Json } from './consult.ts'
import { peopleTable } from './people-pages.ts'
import { sourceText } from './role-pages.ts'
import {
  actionForm,
  address,
  adminPage,
  groupAddress,
  items,
  number,
  option,
  qualified,
  text,
  type View,
} from './view.ts'

/** `/auth/admin/groups`: the groups that people are in or that roles are given to; with a name, one of them. */
export async function groupsPage(view: View): Promise<string> {
  const { provider = '', name = '' } = view.query
  return name === '' ? groupListPage(view) : groupPage(view, provider || view.providers[0] || '', name)
}

async function groupListPage(view: View): Promise<string> {
  const { search, after } = view.query
  const { body } = await view.consult('groups.list', {
    query: { search: search ?? '', after: after ?? '', limit: 100 },
  })
  const [groups, next] = [items(body, 'groups'), text(body, 'next')]
  return adminPage(view, '/auth/admin/groups', {
    title: 'Groups',
    body: html`<form method="get" class="search panel" role="search">
<div class="field"><label for="search">Name</label><input type="search" id="search" name="search" value="${search}" autocomplete="off"></div>
<button type="submit">Search</button>
</form>
<section class="panel">
${groups.length === 0 ? html`<p class="muted">No group is called so: nobody who signed in is in one, and no role is given to one.</p>` : groupTable(view, groups)}
${next === '' ? undefined : html`<p><a class="button quiet" href="${address(view.publicUrl, '/auth/admin/groups', { search, after: next })}">More groups</a></p>`}
</section>
<section class="panel" aria-labelledby="other"><h2 id="other">Another group</h2>
<p class="muted">A group can be given roles before anybody in it has signed in.</p>
<form method="get" class="fields">
<div class="field"><label for="provider">Provider</label><select id="provider" name="provider">${view.providers.map((each) => option(each, undefined))}</select></div>
<div class="field"><label for="name">Group, as the provider calls it</label><input type="text" id="name" name="name" required maxlength="1000" autocomplete="off"></div>
<button type="submit" class="quiet">Open</button></form></section>`,
  })
}

function groupTable({ publicUrl }: View, groups: readonly Json[]): Html {
  return html`<table class="cards">
<thead><tr><th scope="col">Group</th><th scope="col">Provider</th><th scope="col">People</th><th scope="col">Roles</th></tr></thead>
<tbody>
${groups.map(
  (group) => html`<tr>
<td><a href="${groupAddress(publicUrl, group)}">${text(group, 'name')}</a>${group['is_admin'] === true ? html` <span class="muted">administrators</span>` : undefined}</td>
<td data-label="Provider">${text(group, 'provider') || 'none named'}${group['in_force'] === true ? undefined : html` <span class="bad">gives nothing</span>`}</td>
<td data-label="People">${number(group, 'people')}</td>
<td data-label="Roles">${number(group, 'roles')}</td>
</tr>
`,
)}
</tbody></table>`
}

async function groupPage(view: View, provider: string, name: string): Promise<string> {
  const params = { provider, group: name }
  const { after = '' } = view.query
  const { body: group, etag } = await view.consult('groups.get', { params })
  const { body: page } = await view.consult('groups.people', { params, query: { after, limit: 100 } })
  const { body: roles } = await view.consult('roles.list', { query: { limit: CHOICES } })
  const next = text(page, 'next')
  const count = number(group, 'people')
  return adminPage(view, '/auth/admin/groups', {
    title: qualified(group),
    body: html`${notices(view, group)}
<section class="panel" aria-labelledby="roles"><h2 id="roles">Roles that everybody in it holds</h2>${mappingTable(view, params, { group, etag })}
${group['in_force'] === true ? mapForm(view, params, { group, etag, roles }) : undefined}</section>
<section class="panel" aria-labelledby="people"><h2 id="people">${count === 1 ? '1 person' : `${count} people`}</h2>
<p class="muted">As the provider said when they last signed in.</p>
${items(page, 'people').length === 0 ? undefined : peopleTable(view, items(page, 'people'))}
${next === '' ? undefined : html`<p><a class="button quiet" href="${address(view.publicUrl, '/auth/admin/groups', { provider, name, after: next })}">More people</a></p>`}</section>`,
  })
}

function notices({ providers }: View, group: Json): Html {
  const idle =
    text(group, 'provider') === ''
      ? `These mappings do not say whose group it is, and several providers are configured (${providers.join(', ')}): they give nothing. Map the group of the provider you mean instead.`
      : `The provider ${text(group, 'provider')} is not configured: this group gives nothing.`
  return html`${group['in_force'] === true ? undefined : html`<p class="panel notice bad">${idle}</p>`}
${group['is_admin'] === true ? html`<p class="panel notice">Everybody in it is an administrator: the configuration says so (ADMIN_GROUPS).</p>` : undefined}`
}

type Params = { readonly provider: string; readonly group: string }
type Shown = { readonly group: Json; readonly etag: string }

function mappingTable(view: View, params: Params, { group, etag }: Shown): Html {
  const mappings = items(group, 'mappings')
  if (mappings.length === 0) return html`<p class="muted">None.</p>`
  return html`<table class="cards">
<thead><tr><th scope="col">Role</th><th scope="col">From</th><th scope="col" class="end"><span class="unseen">Take away</span></th></tr></thead>
<tbody>
${mappings.map(
  (role) => html`<tr>
<td><a href="${ownPath(view.publicUrl, `/auth/admin/roles/${encodeURIComponent(text(role, 'id'))}`)}">${text(role, 'name')}</a></td>
<td data-label="From">${sourceText(role)}</td>
<td class="end">${text(role, 'source') === 'policy' ? undefined : actionForm(view, { name: 'groups.unmap_role', params: { ...params, role: text(role, 'id') }, match: etag, label: 'Take away', spoken: `Take away ${text(role, 'name')}`, look: 'quiet' })}</td>
</tr>
`,
)}
</tbody></table>`
}

/** More roles than can be chosen from are asked for by name. */
const CHOICES = 100

function mapForm(view: View, params: Params, { group, etag, roles }: Shown & { readonly roles: Json }): Html {
  const byHand = new Set(
    items(group, 'mappings')
      .filter((role) => text(role, 'source') !== 'policy')
      .map((role) => text(role, 'id')),
  )
  const others = items(roles, 'roles').filter((role) => !byHand.has(text(role, 'id')))
  if (params.provider === NO_PROVIDER || others.length === 0) return html``
  return actionForm(view, {
    name: 'groups.map_role',
    params,
    match: etag,
    label: 'Give role',
    look: 'quiet',
    fields: html`<div class="field"><label for="role">Role</label>${
      text(roles, 'next') === ''
        ? html`<select id="role" name="p.role">${others.map((role) => option(text(role, 'id'), undefined, text(role, 'name')))}</select>`
        : html`<input type="text" id="role" name="role" required maxlength="255" autocomplete="off">`
    }</div>`,
  })
}

import { NO_PROVIDER } from '../../admin/group.ts'
import { DEFAULT_WORKSPACE, GRANT_TYPES } from '../../policy/grants.ts'
import { ownPath } from '../assets.ts'
import { type Html, html } from '../html.ts'
import { timeOf } from '../time.ts'
import type { Json } from './consult.ts'
import {
  actionForm,
  address,
  adminPage,
  grantText,
  groupAddress,
  items,
  number,
  option,
  personLink,
  qualified,
  text,
  type View,
} from './view.ts'
import { windowOf } from './window.ts'
import { inWorkspace, workspaceField } from './workspace-field.ts'

/** `/auth/admin/roles`: roles by name, to search, and a form for another. */
export async function rolesPage(view: View): Promise<string> {
  const { search, after } = view.query
  const workspace = view.query['workspace'] || undefined
  const here = inWorkspace(workspace)
  const { body } = await view.consult('roles.list', {
    query: { search: search ?? '', after: after ?? '', limit: 100, ...here },
  })
  const roles = items(body, 'roles')
  const next = text(body, 'next')
  return adminPage(view, '/auth/admin/roles', {
    title: 'Roles',
    body: html`<form method="get" class="search panel" role="search">
<div class="field"><label for="search">Only roles called</label><input type="search" id="search" name="search" value="${search}" autocomplete="off"></div>${workspaceField(view, 'workspace', workspace)}
<button type="submit">Show</button></form>
<section class="panel">
${roles.length === 0 ? html`<p class="muted">${search ? 'No role is called so.' : 'There are no roles yet.'}</p>` : roleTable(view, roles)}
${next === '' ? undefined : html`<p><a class="button quiet" href="${address(view.publicUrl, '/auth/admin/roles', { search, after: next, ...here })}">More roles</a></p>`}
</section>
<section class="panel" aria-labelledby="new"><h2 id="new">New role</h2>
${actionForm(view, {
  name: 'roles.create',
  next: '/auth/admin/roles',
  label: 'Create role',
  fields: html`<div class="field"><label for="name">Name</label><input type="text" id="name" name="b.name" required maxlength="255" autocomplete="off"></div>
<div class="field"><label for="description">What it is for</label><input type="text" id="description" name="b.description" maxlength="1000" autocomplete="off"></div>${workspaceField(view, 'b.workspace', workspace)}`,
})}</section>`,
  })
}

function roleTable(view: View, roles: readonly Json[]): Html {
  return html`<table class="cards">
<thead><tr><th scope="col">Role</th>${view.isWorkspacesOn ? html`<th scope="col">Workspace</th>` : undefined}<th scope="col">What it is for</th><th scope="col">Grants</th><th scope="col">From</th></tr></thead>
<tbody>
${roles.map(
  (role) => html`<tr>
<td><a href="${ownPath(view.publicUrl, `/auth/admin/roles/${encodeURIComponent(text(role, 'id'))}`)}">${text(role, 'name')}</a></td>
${view.isWorkspacesOn ? html`<td data-label="Workspace">${text(role, 'workspace') || DEFAULT_WORKSPACE}</td>\n` : undefined}<td data-label="For">${text(role, 'description') || '–'}</td>
<td data-label="Grants">${number(role, 'grant_count') ?? 0}</td>
<td data-label="From">${sourceText(role)}</td>
</tr>
`,
)}
</tbody></table>`
}

/** Where a role, grant or mapping comes from. */
export function sourceText(thing: Json): string {
  return { policy: 'policy file', creator: 'made by its creator' }[text(thing, 'source')] ?? 'by hand'
}

/** `/auth/admin/roles/:id`: one role with its grants and holders, and forms to change them. */
export async function rolePage(view: View): Promise<string> {
  const id = view.params['id'] ?? ''
  const { body: role, etag } = await view.consult('roles.get', { params: { id } })
  const fixed = text(role, 'source') === 'policy'
  const part = { view, id, etag, role, fixed }
  return adminPage(view, '/auth/admin/roles', {
    title: text(role, 'name'),
    body: html`${text(role, 'description') === '' ? undefined : html`<p>${text(role, 'description')}</p>`}
${text(role, 'workspace') === '' ? undefined : html`<p>Its grants count in workspace <strong>${text(role, 'workspace')}</strong>, and nowhere else.</p>`}
${fixed ? html`<p class="panel notice">This role comes from the policy file: its name and grants are changed there.</p>` : undefined}
<section class="panel" aria-labelledby="grants"><h2 id="grants">Grants</h2>${grantTable(part)}${fixed ? undefined : grantForm(part)}</section>
<section class="panel" aria-labelledby="holders"><h2 id="holders">Held by</h2>${holderTable(part)}${holderForms(part)}</section>
${fixed ? undefined : html`<div class="actions">${actionForm(view, { name: 'roles.delete', params: { id }, match: etag, next: '/auth/admin/roles', label: 'Delete this role', look: 'danger' })}</div>`}`,
  })
}

type Part = {
  readonly view: View
  readonly id: string
  readonly etag: string
  readonly role: Json
  /** True for what the policy file owns. */
  readonly fixed: boolean
}

function grantTable({ view, id, etag, role }: Part): Html {
  const { shown: grants, note } = windowOf(view, 'grants', items(role, 'grants'))
  if (grants.length === 0) return html`<p class="muted">It grants nothing.</p>`
  return html`<table class="cards">
<thead><tr><th scope="col">Grant</th><th scope="col">Until</th><th scope="col">From</th><th scope="col" class="end"><span class="unseen">Revoke</span></th></tr></thead>
<tbody>
${grants.map((grant) => {
  const until = number(grant, 'expires_at')
  const byHand = text(grant, 'source') !== 'policy'
  return html`<tr>
<td><strong>${grantText(grant)}</strong></td>
<td data-label="Until">${until === undefined ? 'until revoked' : timeOf(until)}</td>
<td data-label="From">${sourceText(grant)}</td>
<td class="end">${byHand ? actionForm(view, { name: 'roles.revoke', params: { id, grant: text(grant, 'id') }, match: etag, label: 'Revoke', spoken: `Revoke ${grantText(grant)}`, look: 'danger' }) : undefined}</td>
</tr>
`
})}
</tbody></table>${note}`
}

const LIFETIMES = [
  ['', 'until revoked'],
  ['86400', '1 day'],
  ['604800', '7 days'],
  ['2592000', '30 days'],
  ['7776000', '90 days'],
] as const

/** Choices for how long a grant lasts; the form's receiver counts from when it arrives. */
export function lifetimeField(id: string): Html {
  return html`<div class="field"><label for="${id}">For</label><select id="${id}" name="expires_in">${LIFETIMES.map(([value, label]) => option(value, '', label))}</select></div>`
}

/** Choices of a level. */
export function levelField(id: string, levels: readonly string[], chosen: string): Html {
  return html`<div class="field"><label for="${id}">Level</label><select id="${id}" name="b.level">${levels.map((level) => option(level, chosen))}</select></div>`
}

function grantForm({ view, id, etag }: Part): Html {
  return html`<h3>Add a grant</h3>${actionForm(view, {
    name: 'roles.grant',
    params: { id },
    match: etag,
    label: 'Add grant',
    fields: html`${levelField('level', ['READ', 'USE', 'EDIT', 'MANAGE', 'DENY'], 'READ')}
<div class="field"><label for="type">On</label><select id="type" name="b.resource_type">${GRANT_TYPES.map((type) => option(type, 'experiment', type.replaceAll('_', ' ')))}</select></div>
<div class="field"><label for="match">Which</label><select id="match" name="b.match">${option('name', 'name', 'with a name such as')}${option('exact', 'name', 'the one with the id or name')}${option('any', 'name', 'all of them')}</select></div>
<div class="field"><label for="pattern">Name or id</label><input type="text" id="pattern" name="b.pattern" value="*" required maxlength="1000" autocomplete="off" aria-describedby="pattern-hint"></div>
${lifetimeField('lifetime')}<p class="hint line" id="pattern-hint">In a name, * stands for any run of characters: alpha/*. For all of them: *.</p>`,
  })}`
}

function holderTable(part: Part): Html {
  const { view, role } = part
  const all = ['users', 'groups', 'names'].flatMap((kind) => items(role, kind).map((who) => ({ kind, who })))
  const { shown, note } = windowOf(view, 'holders', all)
  const of = (kind: string) => shown.filter((each) => each.kind === kind).map(({ who }) => who)
  const rows = holderRows(part, { users: of('users'), groups: of('groups'), names: of('names') })
  if (rows.length === 0) return html`<p class="muted">Nobody holds it.</p>`
  return html`<table class="cards">
<thead><tr><th scope="col">Who</th><th scope="col">As</th><th scope="col">From</th><th scope="col" class="end"><span class="unseen">Take away</span></th></tr></thead>
<tbody>
${rows.map(({ name, kind, from, form }) => html`<tr><td>${name}</td><td data-label="As">${kind}</td><td data-label="From">${from}</td><td class="end">${form}</td></tr>\n`)}
</tbody></table>${note}`
}

type Holders = Readonly<Record<'users' | 'groups' | 'names', readonly Json[]>>

function holderRows({ view, id, etag }: Part, { users, groups, names }: Holders) {
  return [
    ...users.map((user) => ({
      name: personLink(view, text(user, 'id'), text(user, 'username')),
      kind: 'person',
      from: sourceText(user),
      form:
        text(user, 'source') === 'manual'
          ? actionForm(view, {
              name: 'roles.unassign',
              params: { id, person: text(user, 'id') },
              match: etag,
              label: 'Take away',
              spoken: `Take away from ${text(user, 'username')}`,
              look: 'quiet',
            })
          : undefined,
    })),
    ...groups.map((group) => ({
      name: view.principal.isAdmin
        ? html`<a href="${groupAddress(view.publicUrl, group)}">${qualified(group)}</a>`
        : html`${qualified(group)}`,
      kind: 'group',
      from: sourceText(group),
      form:
        text(group, 'source') === 'manual'
          ? actionForm(view, {
              name: 'roles.unmap_group',
              params: { id, provider: text(group, 'provider') || NO_PROVIDER, group: text(group, 'name') },
              match: etag,
              label: 'Take away',
              spoken: `Take away from group ${qualified(group)}`,
              look: 'quiet',
            })
          : undefined,
    })),
    ...names.map((name) => ({
      name: html`${qualified(name)}`,
      kind: 'username',
      from: sourceText(name),
      form: undefined,
    })),
  ]
}

function holderForms({ view, id, etag }: Part): Html {
  return html`<div class="split">
${actionForm(view, { name: 'roles.assign', params: { id }, match: etag, label: 'Give to person', look: 'quiet', fields: html`<div class="field"><label for="person">Person</label><input type="text" id="person" name="person" required autocomplete="off" placeholder="username"></div>` })}
${actionForm(view, { name: 'roles.map_group', params: { id }, match: etag, label: 'Give to group', look: 'quiet', fields: html`<div class="field"><label for="group">Group</label><input type="text" id="group" name="group" required autocomplete="off" placeholder="provider:group"></div>` })}
</div>`
}

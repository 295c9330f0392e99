import { RESOURCE_TYPES } from '../../policy/grants.ts'
import { isDefault } from '../../policy/workspace-name.ts'
import { type Html, html } from '../html.ts'
import type { Json } from './consult.ts'
import { levelField, lifetimeField } from './role-pages.ts'
import {
  actionForm,
  address,
  adminPage,
  grantText,
  items,
  levelMark,
  listed,
  option,
  personLink,
  text,
  type View,
  viaText,
} from './view.ts'
import { chosenWorkspace, inWorkspace, workspaceField } from './workspace-field.ts'

/** `/auth/admin/access`: the picture of who may do what, or who can reach one resource. */
export async function accessPage(view: View): Promise<string> {
  const { resource_type: type = 'experiment', key } = view.query
  return adminPage(view, '/auth/admin/access', {
    title: 'Access',
    body: html`<form method="get" class="search panel" role="search">
<div class="field"><label for="type">Who can reach</label><select id="type" name="resource_type">${RESOURCE_TYPES.map((each) => option(each, type, each.replaceAll('_', ' ')))}</select></div>
<div class="field"><label for="key">Id, or name where names are keys</label><input type="text" id="key" name="key" value="${key}"${view.isWorkspacesOn ? undefined : html` required`} autocomplete="off"></div>
${workspaceField(view, 'workspace', chosenWorkspace(view))}<button type="submit">Show</button>
</form>
${key === undefined || key === '' ? await picture(view) : await reach(view, type, key)}`,
  })
}

async function picture(view: View): Promise<Html> {
  const { search, after } = view.query
  const here = inWorkspace(chosenWorkspace(view))
  const { body } = await view.consult('access.matrix', {
    query: { search: search ?? '', after: after ?? '', limit: 200, ...here },
  })
  const [resources, rows] = [items(body, 'resources'), items(body, 'rows')]
  const next = text(body, 'next')
  return html`<section class="panel" aria-labelledby="picture"><h2 id="picture">People and the experiments changed last${here.workspace === undefined ? undefined : ` in workspace ${here.workspace}`}</h2>
<form method="get" class="search" role="search">${here.workspace === undefined ? undefined : html`<input type="hidden" name="workspace" value="${here.workspace}">`}<div class="field"><label for="search">Only people called</label><input type="search" id="search" name="search" value="${search}" autocomplete="off"></div><button type="submit" class="quiet">Search</button></form>
<p class="muted small">People who hold the same share a row. ${legend()}</p>
${resources.length === 0 ? html`<p class="muted">MLflow has no experiments${here.workspace === undefined ? undefined : ' in this workspace'} yet.</p>` : rows.length === 0 ? html`<p class="muted">Nobody is called so.</p>` : matrix(view, resources, rows)}
${next === '' ? undefined : html`<p><a class="button quiet" href="${address(view.publicUrl, '/auth/admin/access', { search, after: next, ...here })}">More people</a></p>`}
</section>`
}

function legend(): Html {
  return html`${['READ', 'USE', 'EDIT', 'MANAGE', 'DENY', 'NO_PERMISSIONS'].map((level) => html`<span class="legend">${levelMark(level)} ${level === 'NO_PERMISSIONS' ? 'nothing' : level}</span> `)}`
}

function matrix(view: View, resources: readonly Json[], rows: readonly Json[]): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-labelledby="picture"><table class="matrix">
<thead><tr><th scope="col">People</th>${resources.map(
    (resource) =>
      html`<th scope="col"><a href="${address(view.publicUrl, '/auth/admin/access', { resource_type: 'experiment', key: text(resource, 'key'), ...inWorkspace(chosenWorkspace(view)) })}"><span>${text(resource, 'name')}</span></a></th>`,
  )}</tr></thead>
<tbody>
${rows.map((row) => {
  const levels = row['levels']
  return html`<tr><th scope="row">${peopleCell(view, row)}</th>${Array.isArray(levels) ? levels.map((level) => html`<td>${levelMark(String(level))}</td>`) : undefined}</tr>\n`
})}
</tbody></table></div>`
}

/** Names while they fit; else the first of them, the rest behind a click. */
function peopleCell(view: View, row: Json): Html {
  const people = items(row, 'people')
  const link = (person: Json) => personLink(view, text(person, 'id'), text(person, 'username'))
  const admins = row['is_admin'] === true ? html` <span class="muted">(administrators)</span>` : undefined
  const [first, ...others] = people
  if (first === undefined) return html``
  if (others.length < 3) return html`${listed(people.map(link))}${admins}`
  return html`<details><summary>${text(first, 'username')} and ${others.length} others</summary>${listed(people.map(link))}</details>${admins}`
}

async function reach(view: View, type: string, key: string): Promise<Html> {
  const workspace = chosenWorkspace(view)
  const here = inWorkspace(workspace)
  const { body } = await view.consult('access.list', {
    query: { resource_type: type, key, after: view.query['after'] ?? '', limit: 200, ...here },
  })
  const people = items(body, 'people')
  const next = text(body, 'next')
  return html`<section class="panel" aria-labelledby="reach"><h2 id="reach">Who can reach ${type.replaceAll('_', ' ')} ${key}</h2>
${people.length === 0 ? html`<p class="muted">Nobody has a right of their own on it.</p>` : reachTable(view, people)}
<p class="muted">Everybody else who ${workspace === undefined || isDefault(workspace) ? 'signs in' : 'holds something in this workspace'} has ${text(body, 'by_default')}.</p>
${next === '' ? undefined : html`<p><a class="button quiet" href="${address(view.publicUrl, '/auth/admin/access', { resource_type: type, key, after: next, ...here })}">More people</a></p>`}
</section>
<section class="panel" aria-labelledby="give"><h2 id="give">Grant on it</h2>${actionForm(view, {
    name: 'grants.create',
    label: 'Grant',
    fields: html`<input type="hidden" name="b.resource_type" value="${type}"><input type="hidden" name="b.key" value="${key}">${workspace === undefined ? undefined : html`<input type="hidden" name="b.workspace" value="${workspace}">`}
<div class="field"><label for="username">Person</label><input type="text" id="username" name="b.username" required autocomplete="off" placeholder="username"></div>
${levelField('level', ['READ', 'USE', 'EDIT', 'MANAGE', 'DENY'], 'READ')}${lifetimeField('lifetime')}`,
  })}</section>`
}

function reachTable(view: View, people: readonly Json[]): Html {
  return html`<table class="cards">
<thead><tr><th scope="col">Who</th><th scope="col">Level</th><th scope="col">Through</th></tr></thead>
<tbody>
${people.map(
  (person) => html`<tr>
<td>${personLink(view, text(person, 'user_id'), text(person, 'username'))}</td>
<td data-label="Level">${levelMark(text(person, 'level'))} ${text(person, 'level')}</td>
<td data-label="Through">${person['is_admin'] === true ? 'administrator' : through(items(person, 'through'))}</td>
</tr>
`,
)}
</tbody></table>`
}

/** Grants with the role they are in, and how that is held. */
export function through(considered: readonly Json[]): Html {
  return html`<ul class="plain">${considered.map((each) => {
    const grant = each['grant'] as Json
    const how = items(each, 'via').map(viaText).join('; ')
    const role = each['personal'] === true ? 'granted directly' : `role ${text(each, 'role')}, ${how}`
    return html`<li>${each['decides'] === true ? html`<strong>${grantText(grant)}</strong>` : grantText(grant)} <span class="muted">${role}</span></li>`
  })}</ul>`
}

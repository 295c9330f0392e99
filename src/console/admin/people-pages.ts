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
  listed,
  number,
  qualified,
  text,
  type View,
  viaText,
} from './view.ts'

/** `/auth/admin/people`: everybody the gateway knows, to search. */
export async function peoplePage(view: View): Promise<string> {
  const { search, after } = view.query
  const { body } = await view.consult('people.list', {
    query: { search: search ?? '', after: after ?? '', limit: 100 },
  })
  const people = items(body, 'people')
  return adminPage(view, '/auth/admin/people', {
    title: 'People',
    body: html`<form method="get" class="search panel" role="search">
<div class="field"><label for="search">Name, display name or e-mail address</label>
<input type="search" id="search" name="search" value="${search}" autocomplete="off"></div>
<button type="submit">Search</button>
</form>
<section class="panel">
${people.length === 0 ? html`<p class="muted">Nobody is called so.</p>` : peopleTable(view, people)}
${nextLink(view, text(body, 'next'))}
</section>`,
  })
}

/** People as lists show them. */
export function peopleTable(view: View, people: readonly Json[]): Html {
  return html`<table class="cards">
<thead><tr><th scope="col">Name</th><th scope="col">E-mail</th><th scope="col">Provider</th><th scope="col">State</th><th scope="col">Last seen</th></tr></thead>
<tbody>
${people.map(
  (person) => html`<tr>
<td><a href="${ownPath(view.publicUrl, `/auth/admin/people/${encodeURIComponent(text(person, 'id'))}`)}">${text(person, 'username')}</a>${text(person, 'display_name') === '' ? undefined : html` <span class="muted">${text(person, 'display_name')}</span>`}</td>
<td data-label="E-mail">${text(person, 'email') || '–'}</td>
<td data-label="Provider">${text(person, 'provider') || '–'}</td>
<td data-label="State">${person['disabled'] === true ? html`<span class="bad">disabled</span>` : 'active'}</td>
<td data-label="Last seen">${whenOr(number(person, 'last_seen_at'), 'never')}</td>
</tr>
`,
)}
</tbody></table>`
}

function whenOr(at: number | undefined, absent: string): Html {
  return at === undefined ? html`${absent}` : timeOf(at)
}

function nextLink(view: View, next: string): Html | undefined {
  if (next === '') return undefined
  return html`<p><a class="button quiet" href="${address(view.publicUrl, '/auth/admin/people', { ...view.query, after: next })}">More people</a></p>`
}

/** `/auth/admin/people/:id`: one person with all they hold, and what can be done about it. */
export async function personPage(view: View): Promise<string> {
  const id = view.params['id'] ?? ''
  const { body: person, etag } = await view.consult('people.get', { params: { id } })
  const { body: tokens } = await view.consult('people.tokens', { params: { id } })
  const { body: sessions } = await view.consult('people.sessions', { params: { id } })
  const disabled = person['disabled'] === true
  return adminPage(view, '/auth/admin/people', {
    title: text(person, 'username'),
    body: html`<section class="panel"><dl class="facts">
<dt>Name</dt><dd>${text(person, 'display_name') || '–'}</dd>
<dt>E-mail</dt><dd>${text(person, 'email') || '–'}</dd>
<dt>Provider</dt><dd>${text(person, 'provider') || '–'}</dd>
<dt>State</dt><dd>${disabled ? html`<span class="bad">disabled: everything of theirs is refused</span>` : 'active'}${person['is_admin'] === true ? ', administrator' : ''}</dd>
<dt>Groups</dt><dd>${groupLinks(view, items(person, 'groups'))}</dd>
<dt>Last seen</dt><dd>${whenOr(number(person, 'last_seen_at'), 'never')}</dd>
</dl>
<div class="actions">
${stateForm(view, { id, etag, disabled })}
${actionForm(view, { name: 'people.delete', params: { id }, match: etag, next: '/auth/admin/people', label: 'Forget this person', look: 'danger' })}
</div></section>
<section class="panel" aria-labelledby="roles"><h2 id="roles">What they hold</h2>${rolesOf(view, person)}</section>
${credentialsOf(view, id, { sessions: items(sessions, 'sessions'), tokens: items(tokens, 'tokens') })}`,
  })
}

function groupLinks({ publicUrl }: View, groups: readonly Json[]): Html {
  if (groups.length === 0) return html`none`
  return listed(
    groups.map((group) => html`<a href="${groupAddress(publicUrl, group)}">${qualified(group)}</a>`),
  )
}

function stateForm(
  view: View,
  { id, etag, disabled }: { id: string; etag: string; disabled: boolean },
): Html {
  return actionForm(view, {
    name: 'people.update',
    params: { id },
    match: etag,
    fields: html`<input type="hidden" name="b.disabled" value="${disabled ? 'false' : 'true'}">`,
    label: disabled ? 'Let in again' : 'Disable',
    look: disabled ? 'quiet' : 'danger',
  })
}

/** Roles with how they are held and what is in them; also on one's own page. */
export function rolesOf(view: View, person: Json): Html {
  const roles = items(person, 'roles')
  if (roles.length === 0) {
    return html`<p class="muted">${person['is_admin'] === true ? 'No roles: an administrator needs none.' : 'Nothing but what everybody has.'}</p>`
  }
  const link = (role: Json) =>
    view.principal.isAdmin && role['personal'] !== true
      ? html`<a href="${ownPath(view.publicUrl, `/auth/admin/roles/${encodeURIComponent(text(role, 'id'))}`)}">${text(role, 'name')}</a>`
      : html`${role['personal'] === true ? 'Granted directly' : text(role, 'name')}`
  return html`<table class="cards">
<thead><tr><th scope="col">Role</th><th scope="col">Held</th><th scope="col">Grants</th></tr></thead>
<tbody>
${roles.map(
  (role) => html`<tr>
<td><strong>${link(role)}</strong></td>
<td data-label="Held">${items(role, 'via').map(viaText).join('; ')}</td>
<td data-label="Grants">${grantList(items(role, 'grants'))}</td>
</tr>
`,
)}
</tbody></table>`
}

/** The others are on the page of the role, and in the JSON API. */
const SHOWN_GRANTS = 200

function grantList(grants: readonly Json[]): Html {
  if (grants.length === 0) return html`<span class="muted">none</span>`
  const rest = grants.length - SHOWN_GRANTS
  const more = rest > 0 ? html`<p class="muted">and ${rest} more</p>` : undefined
  return html`<ul class="plain">${grants.slice(0, SHOWN_GRANTS).map((grant) => {
    const until = number(grant, 'expires_at')
    return html`<li>${grantText(grant)}${until === undefined ? undefined : html` <span class="muted">until ${timeOf(until)}</span>`}</li>`
  })}</ul>${more}`
}

type Credentials = { readonly sessions: readonly Json[]; readonly tokens: readonly Json[] }

/** What a person signs in by, to be ended one by one or all at once. */
function credentialsOf(view: View, id: string, { sessions, tokens }: Credentials): Html {
  const hasLive = tokens.some((token) => isLive(token, view.now))
  return html`<section class="panel" aria-labelledby="sessions"><h2 id="sessions">Browser sessions</h2>${sessionsOf(view, id, sessions)}
${sessions.length < 2 ? undefined : html`<div class="actions">${actionForm(view, { name: 'people.end_sessions', params: { id }, label: 'Sign out everywhere', look: 'danger' })}</div>`}</section>
<section class="panel" aria-labelledby="tokens"><h2 id="tokens">Access tokens</h2>${tokensOf(view, id, tokens)}
${hasLive ? html`<div class="actions">${actionForm(view, { name: 'people.revoke_tokens', params: { id }, label: 'Revoke all tokens', look: 'danger' })}</div>` : undefined}</section>`
}

function sessionsOf(view: View, id: string, sessions: readonly Json[]): Html {
  if (sessions.length === 0) return html`<p class="muted">None: not signed in anywhere.</p>`
  return html`<table class="cards">
<thead><tr><th scope="col">Since</th><th scope="col">Ends, unused</th><th scope="col">Ends at the latest</th><th scope="col" class="end"><span class="unseen">End</span></th></tr></thead>
<tbody>
${sessions.map((session, index) => {
  const since = timeOf(number(session, 'created_at') ?? 0)
  return html`<tr>
<td>${since}</td>
<td data-label="Ends, unused">${timeOf(number(session, 'idle_expires_at') ?? 0)}</td>
<td data-label="Ends at the latest">${timeOf(number(session, 'expires_at') ?? 0)}</td>
<td class="end">${actionForm(view, { name: 'people.end_session', params: { id, session: text(session, 'id') }, label: 'End session', spoken: `End session ${index + 1}`, look: 'danger' })}</td>
</tr>
`
})}
</tbody></table>`
}

function tokensOf(view: View, id: string, tokens: readonly Json[]): Html {
  if (tokens.length === 0) return html`<p class="muted">None.</p>`
  return html`<table class="cards">
<thead><tr><th scope="col">Name</th><th scope="col">Access</th><th scope="col">Last used</th><th scope="col">Works until</th><th scope="col" class="end"><span class="unseen">Revoke</span></th></tr></thead>
<tbody>
${tokens.map(
  (token) => html`<tr>
<td><strong>${text(token, 'name')}</strong></td>
<td data-label="Access">${text(token, 'scope') === 'read' ? 'read only' : 'all they have'}</td>
<td data-label="Last used">${whenOr(number(token, 'last_used_at'), 'never')}</td>
<td data-label="Works until">${tokenState(token, view.now)}</td>
<td class="end">${isLive(token, view.now) ? actionForm(view, { name: 'people.revoke_token', params: { id, token: text(token, 'id') }, label: 'Revoke', spoken: `Revoke ${text(token, 'name')}`, look: 'danger' }) : undefined}</td>
</tr>
`,
)}
</tbody></table>`
}

function isLive(token: Json, now: number): boolean {
  return number(token, 'revoked_at') === undefined && (number(token, 'expires_at') ?? 0) > now
}

function tokenState(token: Json, now: number): Html {
  if (number(token, 'revoked_at') !== undefined) return html`revoked`
  const until = number(token, 'expires_at') ?? 0
  return until > now ? timeOf(until) : html`expired`
}

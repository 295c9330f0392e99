import type { Principal } from '../identity/principal.ts'
import { ownPath } from './assets.ts'
import { type Html, html } from './html.ts'
import { page } from './layout.ts'

/** `/auth`: who is signed in, and as what. */
export function accountPage(principal: Principal, publicUrl: URL): string {
  return page({
    title: 'Your account',
    publicUrl,
    username: principal.username,
    body: html`<section class="panel">
<dl class="facts">
<dt>Signed in as</dt><dd><strong>${principal.username}</strong></dd>
<dt>Signed in at</dt><dd>${principal.provider}</dd>
<dt>Groups</dt><dd>${names(principal.groups, 'none')}</dd>
<dt>Roles</dt><dd>${names(principal.roles, 'none')}</dd>
${principal.isAdmin ? html`<dt>Administrator</dt><dd>yes: you may see and change everything</dd>` : undefined}
</dl>
${principal.isAdmin || principal.roles.length > 0 ? undefined : html`<p class="muted">Without a role you see only what you created or were given. If something is missing, ask the people who run this server.</p>`}
</section>
<p class="actions">
<a class="button" href="${ownPath(publicUrl, '/')}">Open MLflow</a>
${principal.isAdmin ? html`<a class="button quiet" href="${ownPath(publicUrl, '/auth/admin')}">Administration</a>` : undefined}
<a class="button quiet" href="${ownPath(publicUrl, '/auth/access')}">Your access</a>
<a class="button quiet" href="${ownPath(publicUrl, '/auth/tokens')}">Access tokens</a>
<a class="button quiet" href="${ownPath(publicUrl, '/auth/logout')}">Sign out</a>
</p>`,
  })
}

function names(values: readonly string[], none: string): Html {
  if (values.length === 0) return html`<span class="muted">${none}</span>`
  return html`<ul class="tags">${values.map((value) => html`<li>${value}</li>`)}</ul>`
}

import { ownPath } from '../assets.ts'
import { type Html, html } from '../html.ts'
import { page } from '../layout.ts'
import { timeOf } from '../time.ts'
import type { Json } from './consult.ts'
import { rolesOf } from './people-pages.ts'
import { answerTable, askedNotice, askedTable, askForm } from './request-pages.ts'
import {
  actionForm,
  address,
  adminPage,
  groupAddress,
  items,
  listed,
  number,
  option,
  qualified,
  text,
  type View,
} from './view.ts'

/** `/auth/access`: what one may do oneself, what one has asked for, and where one is signed in. */
export async function ownAccessPage(view: View): Promise<string> {
  const { body: own } = await view.consult('own.access')
  const { body: sessions } = await view.consult('own.sessions')
  const { body: asked } = await view.consult('requests.list', { query: { mine: true } })
  const { body: toAnswer } = await view.consult('requests.list')
  const ask = html`<section class="panel" aria-labelledby="ask"><h2 id="ask">Ask for access</h2>${askForm(view)}${askedTable(view, items(asked, 'requests'))}</section>`
  // Whoever was sent here to ask, or has just asked, finds that first.
  const cameToAsk = view.query['resource_type'] !== undefined || view.query['asked'] !== undefined
  return page({
    title: 'Your access',
    publicUrl: view.publicUrl,
    username: view.principal.username,
    body: html`${askedNotice(view, items(asked, 'requests'))}${cameToAsk ? ask : undefined}<section class="panel" aria-labelledby="held"><h2 id="held">What you hold</h2>
${view.principal.isAdmin ? html`<p>You are an administrator: you may see and change everything.</p>` : undefined}
${rolesOf(view, own)}${administeredLinks(view)}</section>
${items(toAnswer, 'requests').length === 0 || view.principal.isAdmin ? undefined : html`<section class="panel" aria-labelledby="answer"><h2 id="answer">Waiting for your answer</h2>${answerTable(view, items(toAnswer, 'requests'))}</section>`}
${cameToAsk ? undefined : ask}
<section class="panel" aria-labelledby="sessions"><h2 id="sessions">Where you are signed in</h2>${sessionTable(items(sessions, 'sessions'))}
${actionForm(view, { name: 'own.end_sessions', next: '/auth', label: 'Sign out everywhere', look: 'danger' })}</section>`,
  })
}

function administeredLinks({ administered, publicUrl }: View): Html | undefined {
  if (administered.length === 0) return undefined
  const links = administered.map(
    (workspace) => html`<a href="${address(publicUrl, '/auth/admin/roles', { workspace })}">${workspace}</a>`,
  )
  return html`<p>You administer ${administered.length === 1 ? 'the workspace' : 'the workspaces'} ${listed(links)}: roles, who holds them, and why somebody may do something there.</p>`
}

function sessionTable(sessions: readonly Json[]): Html {
  return html`<table class="cards"><thead><tr><th scope="col">Since</th><th scope="col">Ends, unused</th><th scope="col">Ends at the latest</th></tr></thead>
<tbody>${sessions.map((session) => html`<tr><td>${timeOf(number(session, 'created_at') ?? 0)}</td><td data-label="Ends, unused">${timeOf(number(session, 'idle_expires_at') ?? 0)}</td><td data-label="Ends at the latest">${timeOf(number(session, 'expires_at') ?? 0)}</td></tr>\n`)}</tbody></table>`
}

/** `/auth/admin`: where to go from here. */
export async function overviewPage(view: View): Promise<string> {
  const { body: overview } = await view.consult('overview.get')
  const { body: groups } = await view.consult('groups.list', { query: { limit: 50 } })
  const { body: lockdown } = await view.consult('lockdown.get')
  const { body: counts } = await view.consult('audit.counts', {
    query: { since: view.now - 86_400, span: 86_400 },
  })
  const total = (effect: string) =>
    items(counts, 'counts')
      .filter((each) => text(each, 'effect') === effect)
      .reduce((sum, each) => sum + (number(each, 'events') ?? 0), 0)
  const tile = (path: `/${string}`, figure: number, label: string) =>
    html`<li><a class="tile" href="${ownPath(view.publicUrl, path)}"><strong>${figure}</strong> ${label}</a></li>`
  return adminPage(view, '/auth/admin', {
    title: 'Administration',
    body: html`${text(lockdown, 'mode') === 'off' ? undefined : lockdownNotice(view, lockdown)}<ul class="tiles">
${tile('/auth/admin/requests', number(overview, 'open_requests') ?? 0, 'requests waiting')}
${tile('/auth/admin/audit?range=day&effect=deny', total('deny'), 'denied in a day')}
${tile('/auth/admin/audit?range=day', total('allow'), 'allowed in a day')}
${tile('/auth/admin/audit?range=day&effect=error', total('error'), 'failed in a day')}
${tile('/auth/admin/roles', number(overview, 'roles') ?? 0, 'roles')}
</ul>
<section class="panel" aria-labelledby="groups"><h2 id="groups">Groups, and how many people are in each</h2>
${items(groups, 'groups').length === 0 ? html`<p class="muted">No provider has named any.</p>` : html`<ul class="tags">${items(groups, 'groups').map((group) => html`<li><a href="${groupAddress(view.publicUrl, group)}">${qualified(group)}</a> <span class="muted">${number(group, 'people')}</span></li>`)}</ul>`}
${text(groups, 'next') === '' ? undefined : html`<p><a class="button quiet" href="${ownPath(view.publicUrl, '/auth/admin/groups')}">All groups</a></p>`}</section>
${text(lockdown, 'mode') === 'off' ? lockdownPanel(view) : undefined}`,
  })
}

function lockdownNotice(view: View, lockdown: Json): Html {
  const what =
    text(lockdown, 'mode') === 'closed'
      ? 'Locked down: nobody but administrators gets in'
      : 'Read-only: nobody changes anything in MLflow'
  const why = text(lockdown, 'reason')
  return html`<section class="panel notice bad" aria-labelledby="lockdown"><h2 id="lockdown">${what}</h2>
<p>Since ${timeOf(number(lockdown, 'since') ?? 0)}, by ${text(lockdown, 'by')}${why === '' ? undefined : html`: “${why}”`}.</p>
${actionForm(view, { name: 'lockdown.clear', label: 'End it', spoken: 'End the lockdown' })}</section>`
}

function lockdownPanel(view: View): Html {
  const fields = html`<div class="field"><label for="mode">Then</label><select id="mode" name="b.mode">${option('closed', undefined, 'only administrators get in')}${option('read_only', undefined, 'nobody changes anything in MLflow')}</select></div>
<div class="field"><label for="reason">Why, told to everybody who is refused</label><input type="text" id="reason" name="b.reason" maxlength="500" autocomplete="off"></div>`
  return html`<section class="panel" aria-labelledby="lockdown"><h2 id="lockdown">If something has happened</h2>
<p class="muted">Holds within a second, and until it is ended here. Nobody is signed out.</p>
${actionForm(view, { name: 'lockdown.set', label: 'Lock down', look: 'danger', fields })}</section>`
}

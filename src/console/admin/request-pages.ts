import { ASKED_LEVELS, ASKED_TYPES, askedLevel, nounOf } from '../../policy/asked.ts'
import { type Html, html } from '../html.ts'
import { timeOf } from '../time.ts'
import type { Json } from './consult.ts'
import { levelField, lifetimeField } from './role-pages.ts'
import { actionForm, address, adminPage, items, number, option, text, type View } from './view.ts'
import { workspaceField } from './workspace-field.ts'

/** `/auth/admin/requests`: who asks for what. */
export async function requestsPage(view: View): Promise<string> {
  const { after } = view.query
  const { body } = await view.consult('requests.list', { query: after === undefined ? {} : { after } })
  const requests = items(body, 'requests')
  const next = text(body, 'next')
  return adminPage(view, '/auth/admin/requests', {
    title: 'Requests for access',
    body: html`<section class="panel">${requests.length === 0 ? html`<p class="muted">Nobody waits for an answer.</p>` : answerTable(view, requests)}
${next === '' ? undefined : html`<p><a class="button quiet" href="${address(view.publicUrl, '/auth/admin/requests', { after: next })}">Later requests</a></p>`}</section>`,
  })
}

/** A form to ask for a right, filled in from the page's address: that is where refusals lead. */
export function askForm(view: View): Html {
  const { resource_type: type = 'experiment', key, level } = view.query
  const fields = html`<div class="field"><label for="type">For a</label><select id="type" name="b.resource_type">${ASKED_TYPES.map((each) => option(each, type, nounOf(each)))}</select></div>
<div class="field"><label for="key">Its id, or its name for models and prompts</label><input type="text" id="key" name="b.key" value="${key}" required maxlength="1000" autocomplete="off"></div>
${levelField('level', ASKED_LEVELS, askedLevel(level) ?? 'READ')}
${workspaceField({ ...view, administered: [] }, 'b.workspace', view.query['workspace'])}<div class="field"><label for="note">Why</label><input type="text" id="note" name="b.note" maxlength="1000" autocomplete="off"></div>`
  return html`<p class="muted">Whoever manages it sees what you ask for, and so do the administrators. They are told nothing else.</p>
${actionForm(view, { name: 'requests.ask', next: '/auth/access?asked=yes', label: 'Ask', fields })}`
}

/** Said once, where the form leads. */
export function askedNotice(view: View, requests: readonly Json[]): Html | undefined {
  // A link can say so too, whoever made it.
  const isOpen = requests.some((request) => text(request, 'state') === 'open')
  if (view.query['asked'] === undefined || !isOpen) return undefined
  return html`<div class="panel notice good" role="status"><p><strong>Your request was sent.</strong> Those who manage what it is
about see it, and the administrators. Their answer will stand below; once it is granted, what you asked for opens at once.</p></div>`
}

/** What one has asked for, and what became of it. */
export function askedTable(view: View, requests: readonly Json[]): Html | undefined {
  if (requests.length === 0) return undefined
  return html`<table class="cards"><caption>What you have asked for</caption>
<thead><tr><th scope="col">What</th><th scope="col">When</th><th scope="col">State</th><th scope="col" class="end"><span class="unseen">Take back</span></th></tr></thead>
<tbody>
${requests.map(
  (
    request,
  ) => html`<tr><td>${asked(request)}</td><td data-label="When">${timeOf(number(request, 'created_at') ?? 0)}</td>
<td data-label="State">${stateOf(request)}</td><td class="end">${takeBack(view, request)}</td></tr>
`,
)}
</tbody></table>`
}

function stateOf(request: Json): Html {
  const [state, by, answer] = [text(request, 'state'), text(request, 'decided_by'), text(request, 'answer')]
  if (state === 'open') return html`waits for an answer`
  if (state === 'withdrawn') return html`taken back`
  return html`<strong>${state}</strong> by ${by}, ${timeOf(number(request, 'decided_at') ?? 0)}${answer === '' ? undefined : html`: “${answer}”`}`
}

function takeBack(view: View, request: Json): Html | undefined {
  if (text(request, 'state') !== 'open') return undefined
  return actionForm(view, {
    ...{ name: 'requests.withdraw', params: { id: text(request, 'id') }, next: '/auth/access' },
    ...{ label: 'Take back', spoken: `Take back ${asked(request)}`, look: 'quiet' },
  })
}

/** In the words of who asks, e.g. `READ on run 3f2`. */
function asked(request: Json): string {
  return `${text(request, 'level')} on ${nounOf(text(request, 'resource_type'))} ${text(request, 'key')}${inWorkspace(request)}`
}

function inWorkspace(request: Json): string {
  const workspace = text(request, 'workspace')
  return workspace === '' ? '' : ` in workspace ${workspace}`
}

/** In the words of who answers, e.g. `READ on experiment alpha/one (asked for as run 3f2)`; by name where there is one. */
function about(request: Json): string {
  const { about: found } = request
  if (typeof found !== 'object' || found === null) return asked(request)
  const { resource_type: type, key, name } = found as Json
  const isAsked = type === request['resource_type'] && key === request['key']
  const as = isAsked
    ? ''
    : ` (asked for as ${nounOf(text(request, 'resource_type'))} ${text(request, 'key')})`
  return `${text(request, 'level')} on ${nounOf(String(type))} ${typeof name === 'string' ? name : String(key)}${inWorkspace(request)}${as}`
}

/** Requests with a form to grant and one to decline. */
export function answerTable(view: View, requests: readonly Json[]): Html {
  return html`${requests.map((request) => {
    const [who, note] = [text(request, 'username'), text(request, 'note')]
    return html`<article class="request"><h3>${who} asks for ${about(request)}</h3>
${note === '' ? undefined : html`<p>“${note}”</p>`}<p class="muted small">${timeOf(number(request, 'created_at') ?? 0)}</p>
<div class="actions">${request['about'] === null ? html`<p class="bad">There is no such ${nounOf(text(request, 'resource_type'))}, so it cannot be granted.</p>` : grantForm(view, request)}
${declineForm(view, request)}</div></article>`
  })}`
}

/** What may be granted of what is asked for. */
function upTo(level: string): readonly string[] {
  const levels: readonly string[] = ASKED_LEVELS
  return levels.slice(0, levels.indexOf(level) + 1)
}

function grantForm(view: View, request: Json): Html {
  const id = text(request, 'id')
  return actionForm(view, {
    ...{ name: 'requests.grant', params: { id }, label: 'Grant' },
    spoken: `Grant ${about(request)} to ${text(request, 'username')}`,
    fields: html`${levelField(`level-${id}`, upTo(text(request, 'level')), text(request, 'level'))}${lifetimeField(`for-${id}`)}`,
  })
}

function declineForm(view: View, request: Json): Html {
  const id = text(request, 'id')
  return actionForm(view, {
    ...{ name: 'requests.decline', params: { id }, label: 'Decline', look: 'danger' },
    spoken: `Decline what ${text(request, 'username')} asks for`,
    fields: html`<div class="field"><label for="answer-${id}">What to tell them</label><input type="text" id="answer-${id}" name="b.answer" maxlength="1000" autocomplete="off"></div>`,
  })
}

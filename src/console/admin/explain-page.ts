import { isGatewayError } from '../../errors.ts'
import { CATALOGUE } from '../../mlflow/catalogue.ts'
import { fieldFor, type Subjects, subjectsOf } from '../../mlflow/hypothetical.ts'
import { type Html, html } from '../html.ts'
import { through } from './access-pages.ts'
import type { Json } from './consult.ts'
import { adminPage, items, levelMark, option, text, type View } from './view.ts'
import { chosenWorkspace, inWorkspace, workspaceField } from './workspace-field.ts'

/** What can be asked about: operations that look at resources, with the kinds each is about. */
const OPERATIONS = CATALOGUE.map((row) => ({ name: row.name, kinds: [...subjectsOf(row).keys()] })).toSorted(
  (a, b) => a.name.localeCompare(b.name),
)

/** `/auth/admin/explain`: why somebody may do something, or may not. */
export async function explainPage(view: View): Promise<string> {
  const { username = '', operation = '' } = view.query
  const chosen = OPERATIONS.find(({ name }) => name === operation)
  const subjects = Object.fromEntries(
    (chosen?.kinds ?? []).map((kind) => [kind, view.query[fieldFor(kind)] ?? '']),
  ) as Subjects
  return adminPage(view, '/auth/admin/explain', {
    title: 'Explain',
    body: html`<form method="get" class="search panel">
<div class="field"><label for="username">Person</label><input type="text" id="username" name="username" value="${username}" required autocomplete="off"></div>
<div class="field"><label for="operation">Operation</label><select id="operation" name="operation">${OPERATIONS.map(({ name }) => option(name, operation))}</select></div>
${Object.entries(subjects).map(([kind, value]) => html`<div class="field"><label for="${fieldFor(kind)}">${fieldFor(kind).replaceAll('_', ' ')}</label><input type="text" id="${fieldFor(kind)}" name="${fieldFor(kind)}" value="${value}" autocomplete="off"></div>`)}
${workspaceField(view, 'workspace', chosenWorkspace(view))}
<button type="submit">Explain</button></form>
${chosen === undefined || username === '' ? html`<p class="muted">Choose who and what; then say what it is about, such as the id of a run.</p>` : await explanation(view, subjects)}`,
  })
}

async function explanation(view: View, subjects: Subjects): Promise<Html> {
  const { username = '', operation = '' } = view.query
  const about = Object.entries(subjects).flatMap(([kind, value]) =>
    value === '' ? [] : [`${kind}=${value}`],
  )
  try {
    const workspace = inWorkspace(chosenWorkspace(view))
    const { body } = await view.consult('access.explain', {
      query: { username, operation, about, ...workspace },
    })
    return verdict(body)
  } catch (fault) {
    if (!isGatewayError(fault) || fault.refusal.status >= 500) throw fault
    return html`<p class="panel notice bad" role="alert">${fault.message}.</p>`
  }
}

const WHY: Readonly<Record<string, string>> = {
  admin_only: 'It is for administrators.',
  nobody: 'The gateway serves it to nobody.',
  no_such_membership: 'They hold nothing in that workspace: a role in it would be needed first.',
  locked_out: 'They are disabled, or their provider is no longer configured.',
}

function verdict(answer: Json): Html {
  const allowed = text(answer, 'effect') === 'allow'
  return html`<section class="panel notice ${allowed ? 'good' : 'bad'}"><h2>${text(answer, 'username')} ${allowed ? 'may do' : 'may not do'} ${text(answer, 'operation')}${text(answer, 'workspace') === '' ? undefined : ` in workspace ${text(answer, 'workspace')}`}</h2>
<p>${answer['is_admin'] === true && allowed ? 'As an administrator, whatever is granted.' : (WHY[text(answer, 'reason')] ?? (items(answer, 'explanations').length === 0 ? 'Everybody who is signed in may.' : 'This is what it asks for:'))}</p></section>
${items(answer, 'explanations').map(demand)}`
}

function demand(each: Json): Html {
  const resource = each['resource'] as Json
  const name = text(resource, 'name') || text(resource, 'key') || 'that does not exist'
  const tier = text(resource, 'tier')
  const remedy = each['remedy'] as Json | null
  return html`<section class="panel"><h2>${text(each, 'effect') === 'allow' ? html`<span class="good">✓</span>` : html`<span class="bad">✗</span>`} ${text(each, 'action').replaceAll('_', ' ')} ${text(resource, 'type').replaceAll('_', ' ')} ${name}${tier === '' ? undefined : `, as a ${tier.replaceAll('_', ' ')}`}</h2>
<p>Asks for ${levelMark(text(each, 'needed'))} ${text(each, 'needed')}, has ${levelMark(text(each, 'held'))} ${text(each, 'held')}${each['by_default'] === true ? ' by default' : ''}.</p>
${items(each, 'grants').length === 0 ? html`<p class="muted">No grant speaks of it.</p>` : through(items(each, 'grants'))}
${remedy === null ? undefined : html`<p><strong>What would help:</strong> ${text(remedy, 'text')}.</p>`}</section>`
}

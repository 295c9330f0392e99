import type { Principal } from '../identity/principal.ts'
import type { TokenRecord } from '../store/tokens.ts'
import { ownPath } from './assets.ts'
import { type Html, html } from './html.ts'
import { page } from './layout.ts'
import { durationOf, timeOf } from './time.ts'

/** Lives to choose from, seconds; those longer than the configured limit are not offered. */
const LIFETIMES = [3600, 86_400, 7 * 86_400, 30 * 86_400, 90 * 86_400, 365 * 86_400]

const PREFERRED_LIFETIME = 30 * 86_400

export type TokenPageOptions = {
  readonly publicUrl: URL
  readonly principal: Principal
  /** Those that still work, newest first. */
  readonly tokens: readonly TokenRecord[]
  /** Seconds. */
  readonly maxTtl: number
  /** The value every form on the page carries. */
  readonly formToken: string
  /** A token just made; shown this once. */
  readonly created?: { readonly token: string; readonly name: string; readonly expiresAt: number } | undefined
  /** What was wrong with the form that was sent, and what had been entered as the name. */
  readonly fault?: { readonly message: string; readonly name: string } | undefined
}

/** `/auth/tokens`: a person's access tokens, and a form for another. */
export function tokenPage(options: TokenPageOptions): string {
  return page({
    title: 'Access tokens',
    publicUrl: options.publicUrl,
    username: options.principal.username,
    scripts: ['copy.js'],
    body: html`${options.created === undefined ? undefined : createdPanel(options, options.created)}
<p>Scripts and notebooks send an access token instead of signing in. A token may do what you may do, no more; yours end
when your access ends.</p>
${createForm(options)}
${tokenList(options)}`,
  })
}

function createdPanel(
  { publicUrl }: TokenPageOptions,
  { token, name, expiresAt }: NonNullable<TokenPageOptions['created']>,
): Html {
  const trackingUri = publicUrl.href.replace(/\/$/, '')
  return html`<section class="panel notice good" aria-labelledby="created">
<h2 id="created">“${name}” is ready</h2>
<p><strong>Copy it now: it is not shown again.</strong> It works until ${timeOf(expiresAt)}.</p>
<p>In the shell your script runs in:</p>
<div class="copy"><pre class="secret" data-copy="the commands">export MLFLOW_TRACKING_URI=${trackingUri}
export MLFLOW_TRACKING_TOKEN=${token}</pre></div>
<p>Then MLflow needs no further setting:</p>
<div class="copy"><pre data-copy="the example">import mlflow

mlflow.set_experiment("my-experiment")
with mlflow.start_run():
    mlflow.log_metric("loss", 0.1)</pre></div>
</section>`
}

function createForm({ publicUrl, maxTtl, formToken, fault }: TokenPageOptions): Html {
  const offered = LIFETIMES.filter((lifetime) => lifetime <= maxTtl)
  const lifetimes = offered.length > 0 ? offered : [maxTtl]
  const preferred = lifetimes.findLast((lifetime) => lifetime <= PREFERRED_LIFETIME) ?? lifetimes[0]
  return html`<section class="panel" aria-labelledby="new">
<h2 id="new">New token</h2>
${fault === undefined ? undefined : html`<p class="panel notice bad" role="alert">${fault.message}.</p>`}
<form method="post" action="${ownPath(publicUrl, '/auth/tokens')}">
<input type="hidden" name="form_token" value="${formToken}">
<div class="field">
<label for="name">Name</label>
<input type="text" id="name" name="name" required maxlength="100" autocomplete="off" value="${fault?.name}" aria-describedby="name-hint">
<span class="hint" id="name-hint">Where it will be used, e.g. “nightly training”.</span>
</div>
<div class="field">
<label for="expires_in">Works for</label>
<select id="expires_in" name="expires_in">
${lifetimes.map((lifetime) => html`<option value="${lifetime}"${lifetime === preferred ? html` selected` : undefined}>${durationOf(lifetime)}</option>`)}
</select>
</div>
<div class="field check">
<label><input type="checkbox" name="read_only"> <span>Read only: it can look at everything you can, and change nothing</span></label>
</div>
<button type="submit">Create token</button>
</form>
</section>`
}

function tokenList(options: TokenPageOptions): Html {
  if (options.tokens.length === 0) {
    return html`<section class="panel" aria-labelledby="list"><h2 id="list">Your tokens</h2>
<p class="muted">You have no access token that works.</p></section>`
  }
  return html`<section class="panel" aria-labelledby="list">
<h2 id="list">Your tokens</h2>
<table class="cards">
<thead><tr><th scope="col">Name</th><th scope="col">Access</th><th scope="col">Created</th><th scope="col">Last used</th><th scope="col">Works until</th><th scope="col" class="end"><span class="muted small">Revoking cannot be undone</span></th></tr></thead>
<tbody>
${options.tokens.map((token) => tokenRow(token, options))}
</tbody>
</table>
</section>`
}

function tokenRow(token: TokenRecord, { publicUrl, formToken }: TokenPageOptions): Html {
  return html`<tr>
<td><strong>${token.name}</strong>${token.createdBy === undefined ? undefined : html` <span class="muted small">made by ${token.createdBy}</span>`}</td>
<td data-label="Access">${token.scope.includes('read') ? 'read only' : 'all you have'}</td>
<td data-label="Created">${timeOf(token.createdAt)}</td>
<td data-label="Last used">${token.lastUsedAt === undefined ? 'never' : timeOf(token.lastUsedAt)}</td>
<td data-label="Works until">${timeOf(token.expiresAt)}</td>
<td class="end"><form method="post" action="${ownPath(publicUrl, '/auth/tokens')}/${encodeURIComponent(token.jti)}/revoke">
<input type="hidden" name="form_token" value="${formToken}">
<button type="submit" class="danger" aria-label="Revoke ${token.name}">Revoke</button>
</form></td>
</tr>
`
}

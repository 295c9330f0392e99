import { ownPath } from '../console/assets.ts'
import { type Html, html } from '../console/html.ts'
import { page } from '../console/layout.ts'
import type { Provider } from './provider.ts'
import { absoluteUrl } from './return-path.ts'

/**
 * Adds the fragment of the page that was asked for (`#/experiments/1`), which browsers keep to themselves, to where
 * signing in leads; with a single provider it goes on at once. The page works without it, by its links.
 */
export const SIGN_IN_SCRIPT = `'use strict'
const links = document.querySelectorAll('a[data-sign-in]')
for (const link of links) {
  const url = new URL(link.href)
  const returnTo = url.searchParams.get('return_to') ?? ''
  if (location.hash.length > 1 && !returnTo.includes('#')) {
    url.searchParams.set('return_to', returnTo + location.hash)
    link.href = url.href
  }
}
if (links.length === 1) location.replace(links[0].href)
`

export type SignInPage = {
  readonly publicUrl: URL
  readonly providers: Iterable<Pick<Provider, 'id' | 'label'>>
  /** A path {@link safeReturnPath} let through. */
  readonly returnTo: string
  readonly askAgain: boolean
}

/**
 * Lets one choose how to sign in. The links are absolute: whoever came in under another name of this host
 * (127.0.0.1 for localhost) begins where the provider will send them back to, and where their cookie will be.
 */
export function signInPage({ publicUrl, providers, returnTo, askAgain }: SignInPage): string {
  const login = absoluteUrl(publicUrl, ownPath(publicUrl, '/auth/login'))
  const links = [...providers].map(({ id, label }) => {
    const query = new URLSearchParams({
      provider: id,
      return_to: returnTo,
      ...(askAgain ? { prompt: 'login' } : {}),
    })
    return html`<a class="button" data-sign-in href="${login}?${query.toString()}">Sign in with ${label}</a>`
  })
  return page({
    title: 'Sign in',
    publicUrl,
    narrow: true,
    body: html`<div class="panel">
<p>${links.length === 1 ? 'MLflow asks who you are.' : 'MLflow asks who you are. Choose where you have an account.'}</p>
<div class="stack">
${links.map((link) => html`${link}\n`)}</div>
</div>
<script src="${ownPath(publicUrl, '/auth/assets/sign-in.js')}" defer></script>`,
  })
}

/** Asks before signing out: a GET that did it could be forced by any page that shows an image. */
export function signOutPage(publicUrl: URL, username: string | undefined): string {
  return page({
    title: 'Sign out',
    publicUrl,
    username,
    narrow: true,
    body: html`<div class="panel">
<p>${username === undefined ? 'Sign out of MLflow in this browser?' : html`You are signed in as <strong>${username}</strong>.`}</p>
<form class="actions" method="post" action="${ownPath(publicUrl, '/auth/logout')}">
<button type="submit">Sign out</button>
<a class="button quiet" href="${ownPath(publicUrl, '/')}">Stay</a>
</form>
</div>`,
  })
}

export function signedOutPage(publicUrl: URL): string {
  return page({
    title: 'Signed out',
    publicUrl,
    narrow: true,
    body: html`<div class="panel notice good">
<p>You are signed out of MLflow in this browser.</p>
${again(publicUrl)}
</div>`,
  })
}

function again(publicUrl: URL): Html {
  return html`<p class="actions"><a class="button" href="${ownPath(publicUrl, '/auth/login?prompt=login')}">Sign in again</a></p>`
}

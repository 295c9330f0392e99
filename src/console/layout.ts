import { assetPath, ownPath } from './assets.ts'
import { type Html, html } from './html.ts'
import type { SCRIPTS } from './scripts.ts'

/** What a page of ours is made of. */
export type PageOptions = {
  readonly title: string
  readonly body: Html
  /** The gateway's public URL: links carry its path prefix. */
  readonly publicUrl: URL
  /** Who is signed in. Without it the page has no account links. */
  readonly username?: string | undefined
  /** Scripts to load, deferred; the page must work without them. */
  readonly scripts?: readonly (keyof typeof SCRIPTS)[] | undefined
  /** For pages with one short message or choice. */
  readonly narrow?: boolean | undefined
  /** For pages with tables that use the room there is. */
  readonly wide?: boolean | undefined
}

/** @returns A whole HTML document. Send it with the headers of `pageHeaders`: their CSP allows just what it loads. */
export function page(options: PageOptions): string {
  const { title, body, publicUrl, username, scripts = [], narrow = false, wide = false } = options
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title} · MLflow gateway</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${assetPath(publicUrl, 'style.css')}">
${scripts.map((name) => html`<script src="${assetPath(publicUrl, name)}" defer></script>\n`)}</head>
<body${wide ? html` class="wide"` : undefined}>
<a class="skip" href="#content">Skip to the content</a>
<header class="top"><div>
<a class="brand" href="${ownPath(publicUrl, '/')}">MLflow</a>
${username === undefined ? undefined : accountLinks(publicUrl, username)}
</div></header>
<main id="content"${narrow ? html` class="narrow"` : undefined}>
<h1>${title}</h1>
${body}
</main>
</body>
</html>
`.markup
}

function accountLinks(publicUrl: URL, username: string): Html {
  return html`<nav aria-label="Account">
<a href="${ownPath(publicUrl, '/auth')}">${username}</a>
<a href="${ownPath(publicUrl, '/auth/access')}">Your access</a>
<a href="${ownPath(publicUrl, '/auth/tokens')}">Access tokens</a>
<a href="${ownPath(publicUrl, '/auth/logout')}">Sign out</a>
</nav>`
}

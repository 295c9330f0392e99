/** What the provider's pages look like: plain, light and dark, from 390 pixels up. */
const STYLE = `:root{color-scheme:light dark}*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;font:1rem/1.5 system-ui,sans-serif;background:Canvas;color:CanvasText}
main{width:min(24rem,calc(100vw - 2rem));border:1px solid #8886;border-radius:12px;padding:1.5rem}
h1{font-size:1.25rem;margin:0 0 .25rem}p{margin:0 0 1rem;opacity:.8}label{display:block;font-weight:600}
input,button{font:inherit;width:100%;padding:.6rem .8rem;border-radius:8px;border:1px solid #888;margin:.25rem 0 .5rem}
button{cursor:pointer;font-weight:600}button.main{background:#0a5aa8;border-color:#0a5aa8;color:#fff}
fieldset{border:0;padding:0;margin:1rem 0 0}legend{opacity:.8;padding:0}`

/** @param accounts Names to offer as buttons; anyone of them can also be typed. */
export function loginPage(action: string, accounts: readonly string[], error?: string): string {
  const buttons = accounts.map(
    (name) => `<button name="name" value="${name}" formnovalidate>${name}</button>`,
  )
  return document(
    'Sign in',
    `<h1>Example identity provider</h1>
<p>Stands in for your organisation's sign-in. The name alone will do.</p>
${error === undefined ? '' : `<p role="alert"><strong>${error}</strong></p>`}
<form method="post" action="${action}">
<label for="name">Name</label>
<input id="name" name="login" autocomplete="username" autofocus required>
<button class="main" type="submit">Sign in</button>
<fieldset><legend>or as one of these</legend>${buttons.join('\n')}</fieldset>
</form>`,
  )
}

/** @param form The provider's own form, which carries its protection against forgery. */
export function logoutPage(form: string): string {
  return document(
    'Sign out',
    `<h1>Sign out of the identity provider too?</h1>
<p>Otherwise the next sign-in will not ask for a name.</p>
${form}
<button class="main" autofocus type="submit" form="op.logoutForm" value="yes" name="logout">Yes, sign me out</button>
<button type="submit" form="op.logoutForm">No, stay signed in</button>`,
  )
}

function document(title: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title><style>${STYLE}</style></head>
<body><main>${body}</main></body></html>`
}

import { ASK_HEADER, BADGE_SCRIPT, TELL_REFUSED } from './badge.ts'

/**
 * The scripts of our own pages, by file name; each page works without them. Written for the browser, so plain text
 * here: nothing of it runs in the gateway.
 */
export const SCRIPTS = {
  /** Shows a button beside each `[data-copy]` element that puts the element's text on the clipboard. */
  'copy.js': `'use strict'
for (const source of document.querySelectorAll('[data-copy]')) {
  if (!navigator.clipboard) break
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'quiet'
  button.textContent = 'Copy'
  button.setAttribute('aria-label', 'Copy ' + source.dataset.copy)
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(source.textContent.trim())
      button.textContent = 'Copied'
    } catch {
      button.textContent = 'Select it and copy by hand'
    }
    setTimeout(() => { button.textContent = 'Copy' }, 2000)
  })
  source.after(button)
}
`,
  /**
   * Runs in MLflow's own page: when the session has ended, signs in again and comes back to the same place (field report
   * 67), and a page that the browser kept aside is loaded anew, so that going back after signing out shows nothing. What an answer says of
   * how to ask for what it refused goes to the badge.
   */
  'session.js': `'use strict'
{
  const login = new URL('../login', document.currentScript.src)
  let leaving = false
  const signIn = () => {
    if (leaving) return
    leaving = true
    login.searchParams.set('return_to', location.pathname + location.search + location.hash)
    location.assign(login)
  }
  ${TELL_REFUSED}
  const heard = (url, status, askedFor, place) => {
    if (status < 400 || !url.startsWith(location.origin + '/')) return
    if (status === 401) signIn()
    else tell(askedFor('${ASK_HEADER}'), place)
  }
  const send = window.fetch
  window.fetch = async (...args) => {
    const place = here()
    const response = await send(...args)
    heard(response.url, response.status, (name) => response.headers.get(name), place)
    return response
  }
  const open = XMLHttpRequest.prototype.open
  XMLHttpRequest.prototype.open = function (...args) {
    const place = here()
    this.addEventListener('load', () =>
      heard(this.responseURL, this.status, (name) => this.getResponseHeader(name), place))
    return open.apply(this, args)
  }
  addEventListener('pageshow', (event) => { if (event.persisted) location.reload() })
}
`,
  'badge.js': BADGE_SCRIPT,
} as const satisfies Record<string, string>

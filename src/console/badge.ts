import { DARK, LIGHT } from './style.ts'

/** Header of a refusal: where to ask for what was missing, as a path of ours, see `askPath`. */
export const ASK_HEADER = 'x-ask-for-access'

/** What MLflow's page hears of when a request of its was refused for want of a right: `{ link, place }`. */
export const REFUSED_EVENT = 'mlflow-gateway:refused'

/** Where in MLflow's interface one is, without what its pages keep in the query. */
const PLACE = `location.pathname + location.hash.split('?')[0]`

/** For `session.js`: tells the page what an answer of ours was refused for; `place` is where one was when it was asked. */
export const TELL_REFUSED = `const here = () => ${PLACE}
  const tell = (link, place) => {
    if (link) dispatchEvent(new CustomEvent('${REFUSED_EVENT}', { detail: { link, place } }))
  }`

/** In a shadow root, so that neither MLflow's style nor this one reaches the other. MLflow's look decides between light and dark, not the system's. */
export const BADGE_STYLE = `
:host { all: initial; color-scheme: light;
${LIGHT}}
:host([data-dark]) { color-scheme: dark;
${DARK}}
*, *::before, *::after { box-sizing: border-box; }
[hidden] { display: none !important; }
.badge { position: fixed; left: 13.125rem; bottom: 0; z-index: 100; font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; color: var(--text); }
.toggle { display: grid; place-items: center; width: 28px; height: 26px; padding: 0; cursor: pointer; color: var(--muted); background: var(--panel); border: 1px solid var(--control); border-bottom: 0; border-radius: 8px 8px 0 0; }
.toggle:hover, .toggle[aria-expanded="true"] { color: var(--link); }
.toggle.refused { color: var(--danger); border-color: var(--danger); }
svg { width: 16px; height: 16px; fill: none; stroke: currentColor; stroke-width: 2; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.card { position: fixed; left: clamp(8px, 13.125rem, calc(100vw - 18rem - 8px)); bottom: 34px; width: min(18rem, calc(100vw - 16px)); max-height: calc(100vh - 42px); overflow: auto; padding: 12px 16px; background: var(--panel); border: 1px solid var(--control); border-radius: 10px; box-shadow: 0 4px 16px rgb(0 0 0 / 0.25); overflow-wrap: anywhere; }
.notice { border-left: 4px solid var(--danger); }
p { margin: 0 0 8px; }
.muted { color: var(--muted); }
ul { list-style: none; margin: 0; padding: 0; }
li:last-child { margin-top: 8px; padding-top: 8px; border-top: 1px solid var(--line); }
a { color: var(--link); text-underline-offset: 0.15em; }
li a { display: block; padding: 6px 0; }
.actions { display: flex; flex-wrap: wrap; gap: 8px; margin: 0; }
.ask, button.plain { font: inherit; font-weight: 600; display: inline-block; min-height: 32px; padding: 5px 12px; cursor: pointer; text-decoration: none; border-radius: 8px; border: 1px solid var(--control); color: var(--link); background: transparent; }
.ask { color: var(--on-accent); background: var(--accent); border-color: var(--accent); }
@media print { :host { display: none; } }
@media (forced-colors: active) { .toggle, .card, .ask, button.plain { border-color: CanvasText; } }
`

/**
 * Runs in MLflow's own page after `session.js`: who is signed in, the ways to what is theirs, and, when something they
 * look at is refused, to the form to ask for it. All that comes from outside is set as text, never as markup; a link is
 * taken only if it leads to that form. Signing out is a link to the page for it: from a form here MLflow's own policy would
 * let nobody on to the provider.
 */
export const BADGE_SCRIPT = `'use strict'
{
  const base = new URL('..', document.currentScript.src)
  const here = () => ${PLACE}
  const make = (name, properties, ...children) => {
    const made = Object.assign(document.createElement(name), properties)
    made.append(...children)
    return made
  }
  const link = (path, text) => make('li', {}, make('a', { href: base.href + path, textContent: text }))
  const icon = () => {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
    svg.setAttribute('viewBox', '0 0 24 24')
    svg.setAttribute('aria-hidden', 'true')
    const path = document.createElementNS(svg.namespaceURI, 'path')
    path.setAttribute('d', 'M12 2 4 5v6c0 5 3.4 9.4 8 11 4.6-1.6 8-6 8-11V5zM12 7a2.5 2.5 0 1 0 .01 0M7.5 16.5c1-2.5 8-2.5 9 0')
    svg.append(path)
    return svg
  }

  const host = make('div', { id: 'mlflow-gateway-badge' })
  const root = host.attachShadow({ mode: 'open' })
  const style = new CSSStyleSheet()
  style.replaceSync(${JSON.stringify(BADGE_STYLE)})
  root.adoptedStyleSheets = [style]
  const toggle = make('button', { type: 'button', className: 'toggle' }, icon())
  const panel = make('nav', { className: 'card', id: 'panel', hidden: true, ariaLabel: 'Your account' })
  const said = make('div', { role: 'status' })
  const notice = make('div', { className: 'card notice', hidden: true })
  said.append(notice)
  root.append(make('div', { className: 'badge' }, said, toggle, panel))
  toggle.setAttribute('aria-controls', 'panel')

  const setOpen = (open) => {
    panel.hidden = !open
    toggle.setAttribute('aria-expanded', String(open))
  }
  const fill = ({ username, is_admin: isAdmin }) => {
    toggle.setAttribute('aria-label', 'Signed in as ' + username)
    toggle.title = 'Signed in as ' + username
    panel.append(
      make('p', {}, make('span', { className: 'muted', textContent: 'Signed in as ' }),
        make('strong', { textContent: username })),
      make('ul', {}, link('access', 'My access'), link('tokens', 'Tokens'),
        ...(isAdmin ? [link('admin', 'Administration')] : []), link('logout', 'Sign out')))
  }

  let shown
  let watch
  const forget = () => {
    clearInterval(watch)
    shown = undefined
    notice.hidden = true
    notice.replaceChildren()
    toggle.classList.remove('refused')
  }
  const wordsFor = ({ type, key, level }) => {
    const noun = type === 'registered_model' && level === 'READ' ? 'model or prompt' : type.replaceAll('_', ' ')
    return [
      'You do not have ' + level + ' on ' + (key === null ? 'this ' + noun : noun + ' ' + key) + '.',
      level === 'READ' ? 'You may not see it, or there is no such thing.' : 'What you tried was not done.',
    ]
  }
  // Of what one page was refused, what people know it by: the experiment before a run in it.
  const rank = ({ type, key }) => (key === null ? 0 : type === 'experiment' ? 2 : 1)
  const show = (missing, href) => {
    if (shown !== undefined && rank(missing) < rank(shown)) return
    forget()
    setOpen(false)
    shown = missing
    const [what, why] = wordsFor(missing)
    const later = make('button', { type: 'button', className: 'plain', textContent: 'Not now' })
    later.addEventListener('click', () => { forget(); toggle.focus() })
    notice.append(
      make('p', {}, make('strong', { textContent: what })),
      make('p', { className: 'muted', textContent: why }),
      make('p', { className: 'actions' }, make('a', { className: 'ask', href, textContent: 'Ask for access' }), later))
    notice.hidden = false
    toggle.classList.add('refused')
    const place = here()
    watch = setInterval(() => { if (here() !== place) forget() }, 500)
  }
  addEventListener('${REFUSED_EVENT}', ({ detail }) => {
    const target = new URL(detail.link, location.href)
    if (target.origin !== location.origin || target.pathname !== base.pathname + 'access') return
    if (detail.place !== here()) return
    const query = target.searchParams
    const missing = { type: query.get('resource_type') ?? '', key: query.get('key'), level: query.get('level') ?? '' }
    show(missing, target.href)
  })

  toggle.addEventListener('click', () => { forget(); setOpen(panel.hidden) })
  root.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || (panel.hidden && notice.hidden)) return
    event.stopPropagation()
    setOpen(false)
    forget()
    toggle.focus()
  })
  addEventListener('pointerdown', (event) => {
    if (!event.composedPath().includes(host)) setOpen(false)
  })
  const follow = () => host.toggleAttribute('data-dark', document.body.classList.contains('dark-mode'))
  const start = async () => {
    const response = await fetch(base.href + 'api/v1/me', { headers: { accept: 'application/json' } })
    if (!response.ok) return
    fill(await response.json())
    setOpen(false)
    follow()
    new MutationObserver(follow).observe(document.body, { attributeFilter: ['class'] })
    document.body.append(host)
  }
  addEventListener('DOMContentLoaded', () => start().catch(() => undefined))
}
`

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
} as const satisfies Record<string, string>

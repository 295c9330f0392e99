/** Markup that is safe to send: made by {@link html}, or vouched for by {@link unsafeHtml}. */
export type Html = { readonly markup: string }

/** What may stand in a `${}` of {@link html}. Nothing is written for `undefined`, `null` and `false`. */
export type HtmlValue = string | number | false | null | undefined | Html | readonly HtmlValue[]

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
}

/**
 * Template tag that escapes every value, for text and for attributes in quotes (an unquoted attribute is never safe).
 * A nested `html` goes in as it is; a list is written one after another.
 */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  let markup = strings[0] ?? ''
  for (const [index, value] of values.entries()) markup += render(value) + (strings[index + 1] ?? '')
  return { markup }
}

/** Takes text as markup without escaping. Only for text of our own, never for anything a caller or provider sent. */
export function unsafeHtml(markup: string): Html {
  return { markup }
}

function render(value: HtmlValue): string {
  if (value === undefined || value === null || value === false) return ''
  if (typeof value === 'string') return value.replace(/[&<>"'`]/g, (character) => ENTITIES[character] ?? '')
  if (typeof value === 'number') return String(value)
  return 'markup' in value ? value.markup : value.map(render).join('')
}

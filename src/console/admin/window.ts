import { type Html, html } from '../html.ts'
import type { View } from './view.ts'

/** Rows of a table that fit on a page: a role may have thousands. */
const ROWS = 200

/**
 * The rows of a long table that the page's address asks for, and under it where the others are.
 *
 * @param name Of the field in the address that says at which row to begin.
 */
export function windowOf<T>(
  { publicUrl, here, query }: View,
  name: string,
  rows: readonly T[],
): { readonly shown: readonly T[]; readonly note: Html | undefined } {
  const asked = Number(query[name] ?? 0)
  const start = Number.isSafeInteger(asked) && asked > 0 && asked < rows.length ? asked : 0
  const shown = rows.slice(start, start + ROWS)
  if (shown.length === rows.length) return { shown, note: undefined }
  const at = (row: number) => {
    const url = new URL(here, publicUrl)
    url.searchParams.set(name, String(row))
    return url.pathname + url.search
  }
  const end = start + shown.length
  const before = start === 0 ? undefined : html` <a href="${at(Math.max(0, start - ROWS))}">Before</a>`
  const after = end === rows.length ? undefined : html` <a href="${at(end)}">Further</a>`
  return {
    shown,
    note: html`<p class="muted">${start + 1} to ${end} of ${rows.length}.${before}${after}</p>`,
  }
}

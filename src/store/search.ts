import { type RawBuilder, sql } from 'kysely'

/** True where the text has `search` anywhere in it, in whichever case; `%` and `_` of a search are those characters. */
export function containing(text: RawBuilder<unknown>, search: string): RawBuilder<boolean> {
  const wanted = `%${search.toLowerCase().replaceAll(/[\\%_]/g, (character) => `\\${character}`)}%`
  return sql<boolean>`lower(${text}) like ${wanted} escape '\\'`
}

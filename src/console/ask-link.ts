import type { MissingAccess } from '../policy/asked.ts'
import { ownPath } from './assets.ts'

/** Longest query of such a link, in bytes: what stands before the gateway bounds the headers of an answer. */
const QUERY_LIMIT = 1000

/** @returns The path of the form to ask for that right, filled in; all of it ASCII. A key too long for it is left out. */
export function askPath(publicUrl: URL, { type, key, level, workspace }: MissingAccess): string {
  const query = (fields: Record<string, string>) =>
    new URLSearchParams({ resource_type: type, ...fields, level })
  const where = workspace === undefined ? {} : { workspace }
  const whole = query({ ...(key === undefined ? {} : { key }), ...where }).toString()
  return `${ownPath(publicUrl, '/auth/access')}?${whole.length > QUERY_LIMIT ? query(where) : whole}#ask`
}

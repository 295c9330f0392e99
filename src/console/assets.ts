import { createHash } from 'node:crypto'
import { SCRIPTS } from './scripts.ts'
import { STYLE } from './style.ts'

/** A file our own pages load. The bytes are part of the program, so no path of the file system is ever served. */
export type Asset = {
  readonly type: string
  readonly body: string
  /** First 22 characters of the SHA-256 in base64url: the version in the URL and the strong ETag (RFC 9110 §8.8.3). */
  readonly hash: string
}

/** Every asset by its name under `/auth/assets/`. */
export const ASSETS: ReadonlyMap<string, Asset> = new Map([
  ['style.css', asset('text/css; charset=utf-8', STYLE)],
  ...Object.entries(SCRIPTS).map(
    ([name, body]) => [name, asset('text/javascript; charset=utf-8', body)] as const,
  ),
])

/** @returns The path of a page or file of ours as the browser sees it, with the path prefix of `publicUrl` if it has one. */
export function ownPath(publicUrl: URL, path: `/${string}`): string {
  return publicUrl.pathname.replace(/\/+$/, '') + path
}

/** @returns The asset's path with its hash, so that browsers may keep it for good. */
export function assetPath(publicUrl: URL, name: string): string {
  return `${ownPath(publicUrl, '/auth/assets/')}${name}?v=${ASSETS.get(name)?.hash ?? ''}`
}

/** The scripts that MLflow's own page gets, in order. */
export function shellScripts(withBadge: boolean): readonly (keyof typeof SCRIPTS)[] {
  return withBadge ? ['session.js', 'badge.js'] : ['session.js']
}

function asset(type: string, body: string): Asset {
  return { type, body, hash: createHash('sha256').update(body).digest('base64url').slice(0, 22) }
}

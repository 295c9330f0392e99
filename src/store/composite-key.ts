import { createHash } from 'node:crypto'

/** One key for what several texts name together: whatever is in them, other texts have another. SHA-256, base64url. */
export function compositeKey(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
}

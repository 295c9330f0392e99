import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const FILE = fileURLToPath(new URL('./warm-get.json', import.meta.url))

/** What the warm read allocated when somebody last looked, and decided that it may. */
export type Stored = { readonly allocatedBytes: number; readonly node: string }

export function readStored(): Stored {
  return JSON.parse(readFileSync(FILE, 'utf8')) as Stored
}

export function writeStored(stored: Stored): void {
  writeFileSync(FILE, `${JSON.stringify(stored, undefined, 2)}\n`)
}

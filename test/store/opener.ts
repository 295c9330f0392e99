import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished } from 'vitest'

/** A process of its own that opens the store when told to, see `open-store.ts`; it ends with the test at the latest. */
export function spawnOpener(databaseUrl: string, username: string, umask = '22') {
  const script = fileURLToPath(new URL('open-store.ts', import.meta.url))
  const child = spawn(process.execPath, [script, databaseUrl, username, umask])
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  return { child, errors: () => errors }
}

/** Waits for the process to say the word next. */
export async function said(child: ChildProcessWithoutNullStreams, word: string): Promise<void> {
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer]
  expect(chunk.toString()).toContain(word)
}

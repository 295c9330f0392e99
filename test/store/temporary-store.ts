import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { SignIn } from '../../src/store/people.ts'
import { openStore, type Store, type StoreOptions } from '../../src/store/store.ts'
import { OIDC } from './provider.ts'

export { OIDC } from './provider.ts'

export type TemporaryStore = {
  readonly store: Store
  readonly databaseUrl: string
  readonly path: string
  /** Seconds since the epoch; the store reads it at each call. */
  readonly clock: { now: number }
  /** Every statement run so far, the store's own migrations left out. */
  readonly statements: string[]
}

/** A store on a file of its own, both gone when the test ends. */
export async function openTemporaryStore(redis?: StoreOptions['redis']): Promise<TemporaryStore> {
  const path = join(temporaryFolder(), 'gateway.db')
  const databaseUrl = `sqlite:${path}`
  const clock = { now: 1_800_000_000 }
  const statements: string[] = []
  const store = await openStore({
    databaseUrl,
    now: () => clock.now,
    redis,
    onStatement: (sql) => statements.push(sql),
  })
  onTestFinished(() => store.close())
  statements.length = 0
  return { store, databaseUrl, path, clock, statements }
}

/** A folder that is gone when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-store-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Somebody called `username` at {@link OIDC}, whose subject is `subject-of-` and that name unless said otherwise. */
export function signInOf(username: string, more: Partial<SignIn> = {}): SignIn {
  return {
    provider: OIDC.id,
    issuer: OIDC.issuer,
    subject: `subject-of-${username}`,
    username,
    groups: [],
    ...more,
  }
}

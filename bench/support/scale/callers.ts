import { readConfig } from '../../../src/config.ts'
import { type AccessTokenOptions, createAccessTokens } from '../../../src/identity/access-token.ts'
import { ownIssuer } from '../../../src/identity/gateway-token.ts'
import { createKeyring } from '../../../src/identity/keyring.ts'
import { createSessionTokens } from '../../../src/identity/session-token.ts'
import { openDatabase } from '../../../src/store/database.ts'
import type { AccessTokensTable } from '../../../src/store/schema.ts'
import { openStore } from '../../../src/store/store.ts'
import { seedSession } from '../../../test/support/test-members.ts'
import { insertAll } from '../population/insert.ts'
import { probeId } from '../population/probes.ts'

/** Header fields that say who asks. */
export type Credential = Readonly<Record<string, string>>

export type Callers = {
  /** A browser in which the probe of that name is signed in. */
  readonly browser: (probe: string) => Credential
  /** A script of the probe of that name. */
  readonly script: (probe: string) => Credential
  /** Scripts of different people, none of them a probe. */
  readonly others: readonly Credential[]
}

const PROBES = ['admin', 'owner', 'stranger', '1', '1000', 'patterns'] as const
const DAY = 86_400

/** Makes credentials in a populated store, by the parts that make real ones. @param others How many people more. */
export async function createCallers(env: Readonly<Record<string, string>>, others: number): Promise<Callers> {
  const now = () => Math.floor(Date.now() / 1000)
  const config = readConfig(env)
  const store = await openStore({ databaseUrl: config.databaseUrl, now })
  const { gatewaySecret: secret, accessTokenMaxTtl: maxTtl } = config
  const keyring = await createKeyring({ store, secret, now, tokenMaxTtl: maxTtl })
  const issuing = { keyring, issuer: ownIssuer(config.publicUrl), now }
  const sessionTokens = createSessionTokens(issuing)
  const browsers = new Map<string, Credential>()
  for (const probe of PROBES) {
    const cookie = await seedSession({ store, config, now }, probeId(probe), sessionTokens)
    browsers.set(probe, { cookie })
  }
  const db = await openDatabase({ databaseUrl: config.databaseUrl })
  const rows = await db
    .selectFrom('users')
    .select('id')
    .where('disabled', '=', 0)
    .where('pending_provider', 'is', null)
    .where('username', 'not like', 'probe-%')
    .limit(others)
    .execute()
  const added: AccessTokensTable[] = []
  const accessTokens = createAccessTokens({ ...issuing, maxTtl, store: collecting(added) })
  const scriptOf = async (userId: string): Promise<Credential> => {
    const { token } = await accessTokens.create({ userId, name: 'bench', scope: [], ttl: DAY })
    return { authorization: `Bearer ${token}` }
  }
  const scripts = new Map<string, Credential>()
  for (const probe of PROBES) scripts.set(probe, await scriptOf(probeId(probe)))
  const people: Credential[] = []
  for (const { id } of rows) people.push(await scriptOf(id))
  // One by one they would wait for the disk ten thousand times.
  await insertAll(db, 'access_tokens', added)
  await db.destroy()
  await store.close()
  const of = (made: ReadonlyMap<string, Credential>) => (probe: string) => made.get(probe) ?? {}
  return { browser: of(browsers), script: of(scripts), others: people }
}

function collecting(rows: AccessTokensTable[]): AccessTokenOptions['store'] {
  return {
    tokens: {
      add: async ({ jti, userId, name, createdAt, expiresAt }) => {
        rows.push({
          ...{ jti, user_id: userId, name, scope: '', created_at: createdAt, expires_at: expiresAt },
          ...{ revoked_at: null, last_used_at: null, created_by: null },
        })
      },
    },
  }
}

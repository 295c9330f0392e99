import type { Store } from '../../src/store/store.ts'
import { chained, testChain } from '../audit/test-chain.ts'
import { signInOf } from './provider.ts'

const SID = 'S'.repeat(43)

/** Text that a dialect, an encoding or a format of lines could change on the way. */
const ODD = 'Zoë "ähre" \\ \n\t\u2028 😀 \u0085 %_'

/** Puts rows into every table, more than one batch of some. @param now Seconds since the epoch. */
export async function keepEverything(store: Store, now: number): Promise<void> {
  const alice = await store.people.signIn(signInOf('alice', { groups: ['team', ODD], displayName: ODD }))
  await store.people.add({ provider: 'oidc', username: 'expected' })
  const role = await store.roles.create({ name: ODD.replaceAll(/\p{Cc}/gu, ''), description: ODD })
  const grant = { resourceType: 'experiment', match: 'name', level: 'READ', source: 'manual' } as const
  await store.roles.grant(role.id, { ...grant, pattern: 'alpha/*', expiresAt: 5_000_000_000 })
  await store.roles.assign(alice.id, role.id)
  await store.roles.mapGroup('', ODD, role.id)
  await store.roles.replacePolicy({
    ...{ defaultPermission: 'READ', roles: [{ name: 'p', grants: [] }], groups: [] },
    users: [{ provider: 'oidc', name: 'bob', role: 'p' }],
  })
  const expiry = { userId: alice.id, idleExpiresAt: now + 60, absoluteExpiresAt: now + 60 }
  await store.sessions.set(SID, 'sealed', expiry)
  await store.logoutTokens.use('used', now + 60)
  const token = { jti: 't1', userId: alice.id, name: ODD, scope: [], createdAt: now, expiresAt: now + 60 }
  await store.tokens.add(token)
  const key = { kid: 'k1', alg: 'ES256', publicJwk: { kty: 'EC' }, privateSealed: 'sealed', createdAt: now }
  await store.keys.add(key)
  await store.accessRequests.ask({
    ...{ userId: alice.id, resourceType: 'experiment', key: '1', level: 'READ', note: ODD },
  })
  await store.jobs.remember(
    alice.id,
    Array.from({ length: 2500 }, (_, index) => `job-${index}`),
  )
  await store.publicIds.numbersOf([alice.id, role.id])
  const chain = testChain()
  const at = new Date(now * 1000).toISOString()
  const event = { at, effect: 'allow', username: ODD }
  const events = Array.from({ length: 2001 }, (_, index) => ({ ...event, requestId: `r${index}` }))
  await store.audit.append(chain, chained(chain, events))
  await store.audit.end(chain)
}

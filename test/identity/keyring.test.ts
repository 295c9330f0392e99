import { describe, expect, it } from 'vitest'
import { createAccessTokens } from '../../src/identity/access-token.ts'
import { createKeyring } from '../../src/identity/keyring.ts'
import { createSealer } from '../../src/identity/sealing.ts'
import { createSessionTokens } from '../../src/identity/session-token.ts'
import { createTokenUse } from '../../src/identity/token-use.ts'
import { openTemporaryStore } from '../store/temporary-store.ts'

const secret = 's'.repeat(40)
const DAY = 86_400

async function open() {
  const { store, clock, databaseUrl } = await openTemporaryStore()
  const options = { store, secret, now: () => clock.now, tokenMaxTtl: DAY }
  return { store, clock, databaseUrl, options, keyring: await createKeyring(options) }
}

describe('signing keys', () => {
  it('are made once and found again, also by two that start at the same time', async () => {
    const { options, keyring } = await open()
    const again = await createKeyring(options)
    expect(again.current().kid).toBe(keyring.current().kid)
    const { store, clock } = await openTemporaryStore()
    const shared = { ...options, store, now: () => clock.now }
    const [one, two] = await Promise.all([createKeyring(shared), createKeyring(shared)])
    await Promise.all([one.reload(), two.reload()])
    expect(one.current().kid).toBe(two.current().kid)
    expect(one.jwks()).toEqual(two.jwks())
    clock.now += 2
    expect(one.current().kid).toBe(two.current().kid)
  })

  it('lie sealed in the store, and another secret does not open them', async () => {
    const { store, options, keyring } = await open()
    const [row] = await store.keys.list()
    expect(JSON.stringify(row)).not.toContain('"d"')
    expect(row?.privateSealed).not.toContain('{')
    await expect(createKeyring({ ...options, secret: 't'.repeat(40) })).rejects.toThrow(
      'another GATEWAY_SECRET',
    )
    expect(JSON.stringify(keyring.jwks())).not.toContain('"d"')
  })

  it('a new one signs only when every replica has had time to learn it', async () => {
    const { clock, options, keyring } = await open()
    const replica = await createKeyring(options)
    const before = keyring.current().kid
    clock.now += 10
    const made = await keyring.rotate()
    expect(made).not.toBe(before)
    expect(keyring.current().kid).toBe(before)
    clock.now += 2
    await replica.reload()
    expect([keyring.current().kid, replica.current().kid]).toEqual([made, made])
  })

  it('a retired one verifies until all it signed has expired', async () => {
    const { clock, keyring } = await open()
    const before = keyring.current().kid
    await keyring.rotate()
    clock.now += DAY - 1
    expect(keyring.find(before)).toBeDefined()
    expect(keyring.jwks().keys).toHaveLength(2)
    clock.now += 1
    expect(keyring.find(before)).toBeUndefined()
    expect(keyring.jwks().keys).toHaveLength(1)
  })

  it('two rotations at once leave one that signs', async () => {
    const { clock, keyring } = await open()
    await Promise.all([keyring.rotate(), keyring.rotate()])
    clock.now += 5
    const signing = keyring.current()
    expect(signing.retiredAt).toBeUndefined()
  })
})

describe('tokens of the gateway', () => {
  it('keep within 600 bytes, with an ordinary public URL', async () => {
    const { keyring, clock } = await open()
    const issuer = 'https://mlflow.some-department.example.org/tracking'
    const tokens = createSessionTokens({ keyring, issuer, now: () => clock.now })
    const token = await tokens.issue({
      userId: crypto.randomUUID(),
      sid: 'x'.repeat(43),
      expiresAt: clock.now + 300,
    })
    expect(token.length).toBeLessThanOrEqual(600)
  })

  it('belong to one public URL', async () => {
    const { keyring, clock } = await open()
    const make = (issuer: string) => createSessionTokens({ keyring, issuer, now: () => clock.now })
    const token = await make('https://a.example').issue({ userId: 'u', sid: 's', expiresAt: clock.now + 300 })
    await expect(make('https://a.example').verify(token)).resolves.toMatchObject({ userId: 'u', sid: 's' })
    await expect(make('https://b.example').verify(token)).rejects.toMatchObject({ code: 'ERR_INVALID_TOKEN' })
  })

  it.each([0, -1, 1.5, DAY + 1, Number.NaN])('a life of %s seconds is refused', async (ttl) => {
    const { keyring, clock, store } = await open()
    const tokens = createAccessTokens({
      keyring,
      store,
      issuer: 'https://a',
      now: () => clock.now,
      maxTtl: DAY,
    })
    await expect(tokens.create({ userId: 'u', name: 'n', scope: [], ttl })).rejects.toMatchObject({
      code: 'ERR_INVALID_PARAMETER',
    })
  })

  it('a scope that is not known is refused, not left out', async () => {
    const { keyring, clock, store } = await open()
    const tokens = createAccessTokens({
      keyring,
      store,
      issuer: 'https://a',
      now: () => clock.now,
      maxTtl: DAY,
    })
    const { id } = await store.people.signIn({
      ...{ provider: 'oidc', issuer: 'https://i', subject: 's', username: 'u', groups: [] },
    })
    const { token } = await tokens.create({ userId: id, name: 'n', scope: ['write' as 'read'], ttl: 60 })
    await expect(tokens.verify(token)).rejects.toMatchObject({ code: 'ERR_INVALID_TOKEN' })
  })
})

describe('sealed texts', () => {
  it('open with the same secret, purpose and context, unchanged, and not otherwise', () => {
    const sealer = createSealer(secret, 'a')
    const sealed = sealer.seal('text', 'row 1')
    expect(sealer.open(sealed, 'row 1')).toBe('text')
    expect(sealer.open(sealed, 'row 2')).toBeUndefined()
    expect(createSealer(secret, 'b').open(sealed, 'row 1')).toBeUndefined()
    expect(createSealer(`${secret}x`, 'a').open(sealed, 'row 1')).toBeUndefined()
    const bytes = Buffer.from(sealed, 'base64url')
    for (const at of [0, 12, bytes.length - 1]) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(sealer.open(changed.toString('base64url'), 'row 1')).toBeUndefined()
    }
    expect(sealer.open('', 'row 1')).toBeUndefined()
    expect(sealer.open(sealed.slice(0, 20), 'row 1')).toBeUndefined()
    expect(sealer.seal('text', 'row 1')).not.toBe(sealed)
  })
})

describe('when tokens were last used', () => {
  it('is written in one batch, and not lost while the store is away', async () => {
    const batches: ReadonlyMap<string, number>[] = []
    const faults: unknown[] = []
    const clock = { now: 100, away: true }
    const use = createTokenUse({
      now: () => clock.now,
      onFault: (fault) => faults.push(fault),
      tokens: {
        async touch(batch) {
          if (clock.away) throw new Error('away')
          batches.push(batch)
        },
      },
    })
    use.note('a')
    use.note('b')
    await use.flush()
    expect(faults).toHaveLength(1)
    clock.away = false
    clock.now = 200
    use.note('b')
    await use.stop()
    expect(batches).toEqual([
      new Map([
        ['a', 100],
        ['b', 200],
      ]),
    ])
    await use.flush()
    expect(batches).toHaveLength(1)
  })
})

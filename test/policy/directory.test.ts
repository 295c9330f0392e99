import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createDirectory, type DirectoryOptions, LOCAL_ISSUER } from '../../src/policy/directory.ts'
import type { Grant } from '../../src/policy/grants.ts'
import { CHANGES_KEPT } from '../../src/store/changes.ts'
import { openStore } from '../../src/store/store.ts'
import { OIDC, openTemporaryStore, signInOf, type TemporaryStore } from '../store/temporary-store.ts'

const READ_ALPHA: Grant = { resourceType: 'experiment', match: 'name', pattern: 'alpha/*', level: 'READ' }
const ALPHA = { type: 'experiment', key: '1', name: 'alpha/one' } as const

const CONFIG: DirectoryOptions['config'] = {
  adminUsers: [],
  adminGroups: [],
  defaultPermission: 'NO_PERMISSIONS',
  upstreams: [],
  providers: [OIDC],
}

function directoryOf(
  { store, clock }: Pick<TemporaryStore, 'store' | 'clock'>,
  options: Partial<DirectoryOptions> = {},
) {
  const directory = createDirectory({ store, config: CONFIG, now: () => clock.now, pollMs: 20, ...options })
  onTestFinished(() => directory.stop())
  return directory
}

/** A store in which Alice, of group `team`, holds the role `reader`, with READ on `alpha/*`, through that group. */
async function withReader() {
  const temporary = await openTemporaryStore()
  const alice = await temporary.store.people.signIn(signInOf('alice', { groups: ['team'] }))
  const role = await temporary.store.roles.create({ name: 'reader' })
  const grant = await temporary.store.roles.grant(role.id, { ...READ_ALPHA, source: 'manual' })
  await temporary.store.roles.mapGroup('oidc', 'team', role.id)
  return { ...temporary, alice, role, grant, directory: directoryOf(temporary) }
}

describe('a store that has gone silent', () => {
  it('holds up nobody for long who has to know what has changed', async () => {
    const { store, clock, alice } = await withReader()
    const never = () => new Promise<never>(() => undefined)
    const changes = { ...store.changes, latest: never, since: never }
    const directory = directoryOf({ store: { ...store, changes }, clock })
    const since = performance.now()
    await expect(directory.resolve(alice.id)).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    expect(performance.now() - since).toBeLessThan(5000)
  })
})

describe('a member', () => {
  it('is the principal and what they may do', async () => {
    const { directory, alice } = await withReader()
    const member = await directory.resolve(alice.id)
    expect(member?.principal).toEqual({
      userId: alice.id,
      issuer: OIDC.issuer,
      subject: 'subject-of-alice',
      username: 'alice',
      provider: 'oidc',
      groups: ['team'],
      roles: ['reader'],
      isAdmin: false,
    })
    expect(member?.access.levelOf(ALPHA)).toBe('READ')
    expect(member?.access.levelOf({ ...ALPHA, name: 'beta/one' })).toBe('NO_PERMISSIONS')
  })

  it('who has not signed in yet is known by the gateway itself', async () => {
    const temporary = await openTemporaryStore()
    const { id } = await temporary.store.people.add({ provider: 'oidc', username: 'ci' })
    const member = await directoryOf(temporary).resolve(id)
    expect(member?.principal).toMatchObject({
      issuer: LOCAL_ISSUER,
      subject: id,
      username: 'ci',
      provider: 'oidc',
    })
  })

  it.each([
    ['nobody by that id', CONFIG, undefined],
    ['a provider that is not configured', { ...CONFIG, providers: [{ ...OIDC, id: 'corp' }] }, 'alice'],
    [
      'a provider id that now is another issuer',
      { ...CONFIG, providers: [{ ...OIDC, issuer: 'https://new' }] },
      'alice',
    ],
    ['no provider', { ...CONFIG, providers: [] }, 'alice'],
    ['somebody disabled', CONFIG, 'disabled'],
  ])('is not: %s', async (_what, config, who) => {
    const temporary = await openTemporaryStore()
    const { id } = await temporary.store.people.signIn(signInOf('alice'))
    if (who === 'disabled') await temporary.store.people.setDisabled(id, true)
    const directory = directoryOf(temporary, { config })
    expect(await directory.resolve(who === undefined ? 'nobody' : id)).toBeUndefined()
    expect(directory.cached(id)).toBeUndefined()
  })

  it('is known by an issuer that is configured with or without the slash its provider announces', async () => {
    const temporary = await openTemporaryStore()
    const { id } = await temporary.store.people.signIn(signInOf('alice'))
    const config = { ...CONFIG, providers: [{ ...OIDC, issuer: `${OIDC.issuer}/` }] }
    expect(await directoryOf(temporary, { config }).resolve(id)).toBeDefined()
  })

  it('has the default permission of the configuration, or of the policy where that sets one', async () => {
    const temporary = await openTemporaryStore()
    const { id } = await temporary.store.people.signIn(signInOf('alice'))
    const directory = directoryOf(temporary, { config: { ...CONFIG, defaultPermission: 'USE' } })
    expect((await directory.resolve(id))?.access.levelOf(ALPHA)).toBe('USE')
    await temporary.store.roles.replacePolicy({ defaultPermission: 'READ', roles: [], groups: [], users: [] })
    await directory.refresh()
    expect((await directory.resolve(id))?.access.levelOf(ALPHA)).toBe('READ')
  })
})

describe('an admin', () => {
  const BOTH = [OIDC, { id: 'corp', issuer: 'https://corp.example' }]
  it.each([
    ['by name', { adminUsers: ['oidc:alice'] }, true],
    ['by group', { adminGroups: ['oidc:team'] }, true],
    ['by bare name while there is one provider', { adminUsers: ['alice'] }, true],
    ['by bare group while there is one provider', { adminGroups: ['team'] }, true],
    ['not by bare name among several providers', { adminUsers: ['alice'], providers: BOTH }, false],
    ['not by bare group among several providers', { adminGroups: ['team'], providers: BOTH }, false],
    ['not by the name at another provider', { adminUsers: ['corp:alice'], providers: BOTH }, false],
    ['not by the group of another provider', { adminGroups: ['corp:team'], providers: BOTH }, false],
    ['not by a name in other letters', { adminUsers: ['oidc:Alice'] }, false],
    ['not by being the first', {}, false],
  ])('%s', async (_how, config, isAdmin) => {
    const temporary = await openTemporaryStore()
    const { id } = await temporary.store.people.signIn(signInOf('alice', { groups: ['team'] }))
    const directory = directoryOf(temporary, { config: { ...CONFIG, ...config } })
    expect((await directory.resolve(id))?.principal.isAdmin).toBe(isAdmin)
  })

  it('is not who is given the username of one later', async () => {
    const temporary = await openTemporaryStore()
    const admin = await temporary.store.people.signIn(signInOf('root'))
    const other = await temporary.store.people.signIn(signInOf('root', { subject: 're-created' }))
    const directory = directoryOf(temporary, { config: { ...CONFIG, adminUsers: ['oidc:root'] } })
    expect((await directory.resolve(admin.id))?.principal.isAdmin).toBe(true)
    expect((await directory.resolve(other.id))?.principal.isAdmin).toBe(false)
  })

  it('is not who the gateway calls like one: only the provider says who is', async () => {
    const temporary = await openTemporaryStore()
    const { id, username } = await temporary.store.people.signIn(signInOf('oidc:root'))
    expect(username).toBe('oidc:oidc:root')
    const directory = directoryOf(temporary, { config: { ...CONFIG, adminUsers: ['oidc:root'] } })
    expect((await directory.resolve(id))?.principal.isAdmin).toBe(false)
  })
})

describe('field report 93: no statements on the warm path', () => {
  it('answers a known member from memory', async () => {
    const { directory, alice, statements } = await withReader()
    const member = await directory.resolve(alice.id)
    statements.length = 0
    for (let index = 0; index < 1000; index += 1) expect(directory.cached(alice.id)).toBe(member)
    expect(await directory.resolve(alice.id)).toBe(member)
    expect(statements).toEqual([])
  })

  it('shares one read among all who ask at once', async () => {
    const { directory, alice, statements } = await withReader()
    await directory.refresh()
    statements.length = 0
    const members = await Promise.all(Array.from({ length: 100 }, () => directory.resolve(alice.id)))
    expect(new Set(members).size).toBe(1)
    expect(statements).toHaveLength(8)
  })

  it('keeps no more members than it has room for', async () => {
    const temporary = await openTemporaryStore()
    const directory = directoryOf(temporary, { capacity: 3 })
    const ids = []
    for (const name of ['a', 'b', 'c', 'd']) {
      ids.push((await temporary.store.people.signIn(signInOf(name))).id)
      await directory.refresh()
    }
    for (const id of ids) await directory.resolve(id)
    expect(ids.map((id) => directory.cached(id)?.principal.username)).toEqual([undefined, 'b', 'c', 'd'])
  })
})

describe('a change', () => {
  it.each([
    ['of the person', 'alice', (t: Reader) => t.store.people.setDisabled(t.alice.id, false)],
    ['of a role they hold', 'alice', (t: Reader) => t.store.roles.revokeGrant(t.grant.id)],
    ['of group mappings', 'alice bob', (t: Reader) => t.store.roles.mapGroup('oidc', 'x', t.role.id)],
    ['of the policy', 'alice bob', (t: Reader) => t.store.roles.replacePolicy(SOME_POLICY)],
    ['of another person', 'bob', (t: Reader) => t.store.people.signIn(signInOf('bob', { groups: ['new'] }))],
    ['of a role nobody holds', '', (t: Reader) => t.store.roles.create({ name: 'other' })],
    ['of a token', '', (t: Reader) => t.store.changes.note('token', 't')],
  ])('%s makes it forget exactly: %s', async (_what, forgotten, change) => {
    const reader = await withReader()
    const bob = await reader.store.people.signIn(signInOf('bob'))
    await reader.directory.resolve(reader.alice.id)
    await reader.directory.resolve(bob.id)
    await change(reader)
    await reader.directory.refresh()
    const gone = [reader.alice, bob].filter(({ id }) => reader.directory.cached(id) === undefined)
    expect(gone.map(({ username }) => username).join(' ')).toBe(forgotten)
  })

  it('of another process is followed within the poll', async () => {
    const { directory, alice, databaseUrl, role, clock } = await withReader()
    const other = await openStore({ databaseUrl, now: () => clock.now })
    onTestFinished(() => other.close())
    directory.start()
    expect((await directory.resolve(alice.id))?.access.levelOf(ALPHA)).toBe('READ')
    await other.roles.delete(role.id)
    await vi.waitFor(() => expect(directory.cached(alice.id)).toBeUndefined(), { timeout: 1000, interval: 5 })
    expect((await directory.resolve(alice.id))?.access.levelOf(ALPHA)).toBe('NO_PERMISSIONS')
  })

  it.each([
    ['of a role', (t: Reader) => t.store.roles.delete(t.role.id)],
    ['of the person', (t: Reader) => t.store.people.signIn(signInOf('alice', { groups: [] }))],
    ['of group mappings', (t: Reader) => t.store.roles.unmapGroup('oidc', 'team', t.role.id)],
  ])(
    '%s that comes while the person is read is not lost: what was read before is not kept',
    async (_what, change) => {
      const reader = await withReader()
      const gate = Promise.withResolvers<void>()
      const { directory, reads } = gatedDirectory(reader, gate.promise)
      await directory.refresh()
      const early = directory.resolve(reader.alice.id)
      await vi.waitFor(() => expect(reads).toEqual(['read']))
      await change(reader)
      await directory.refresh()
      const late = await directory.resolve(reader.alice.id)
      expect(late?.access.levelOf(ALPHA)).toBe('NO_PERMISSIONS')
      gate.resolve()
      expect((await early)?.access.levelOf(ALPHA)).toBe('READ')
      expect(directory.cached(reader.alice.id)).toBe(late)
      expect(reads).toEqual(['read', 'read'])
    },
  )

  it('does not have who asks after it wait for, or be answered by, a read from before it', async () => {
    const reader = await withReader()
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const { directory, reads } = gatedDirectory(reader, ...gates.map(({ promise }) => promise))
    await directory.refresh()
    const early = directory.resolve(reader.alice.id)
    await vi.waitFor(() => expect(reads).toHaveLength(1))
    await reader.store.people.setDisabled(reader.alice.id, false)
    await directory.refresh()
    const late = directory.resolve(reader.alice.id)
    await vi.waitFor(() => expect(reads).toHaveLength(2))
    gates[0]?.resolve()
    await early
    const shared = directory.resolve(reader.alice.id)
    gates[1]?.resolve()
    expect(await shared).toBe(await late)
    expect(directory.cached(reader.alice.id)).toBe(await late)
    expect(reads).toHaveLength(2)
  })

  it('made before refresh() is called is followed when that returns, also while an earlier one is running', async () => {
    const { store, clock, alice } = await withReader()
    const gate = Promise.withResolvers<void>()
    let reads = 0
    const changes = {
      ...store.changes,
      since: async (seq: number) => {
        const read = await store.changes.since(seq)
        reads += 1
        if (reads === 1) await gate.promise
        return read
      },
    }
    const directory = createDirectory({
      store: { people: store.people, changes },
      config: CONFIG,
      now: () => clock.now,
    })
    await directory.resolve(alice.id)
    const early = directory.refresh()
    await vi.waitFor(() => expect(reads).toBe(1))
    await store.people.setDisabled(alice.id, false)
    const late = Promise.all([directory.refresh(), directory.refresh(), directory.refresh()])
    gate.resolve()
    await early
    await late
    expect(directory.cached(alice.id)).toBeUndefined()
    expect(reads).toBe(2)
  })

  it('is passed on to whoever listens, after the directory has followed it, until they stop', async () => {
    const { directory, store, alice } = await withReader()
    await directory.resolve(alice.id)
    const heard: string[] = []
    const stop = directory.onChange(({ kind, key }) => {
      heard.push(`${kind} ${key} ${directory.cached(alice.id) === undefined ? 'forgotten' : 'known'}`)
    })
    await store.changes.note('token', 't1')
    await store.people.setDisabled(alice.id, false)
    await directory.refresh()
    stop()
    await store.changes.note('token', 't2')
    await directory.refresh()
    expect(heard).toEqual(['token t1 known', `user ${alice.id} forgotten`])
  })

  it('reaches every listener even if one of them fails, and is not passed on twice', async () => {
    const temporary = await openTemporaryStore()
    const errors: unknown[] = []
    const heard: string[] = []
    const directory = directoryOf(temporary, { onError: (error) => errors.push(error) })
    await directory.refresh()
    const fault = new Error('listener')
    directory.onChange(() => {
      throw fault
    })
    directory.onChange(({ key }) => heard.push(key))
    await temporary.store.changes.note('token', 't1')
    await directory.refresh()
    await directory.refresh()
    expect([errors, heard]).toEqual([[fault], ['t1']])
  })
})

const SOME_POLICY = { roles: [{ name: 'p', grants: [] }], groups: [], users: [] }
type Reader = Awaited<ReturnType<typeof withReader>>

/** A directory whose reads of people end when the gates open, one for each read; further reads end at once. */
function gatedDirectory({ store, clock }: Reader, ...gates: Promise<void>[]) {
  const reads: string[] = []
  const people = {
    ...store.people,
    membership: async (...args: Parameters<typeof store.people.membership>) => {
      const membership = await store.people.membership(...args)
      reads.push('read')
      await gates[reads.length - 1]
      return membership
    },
  }
  return { directory: directoryOf({ store: { ...store, people }, clock }), reads }
}

describe('time', () => {
  it('ends a grant at its expiry, without a change', async () => {
    const temporary = await openTemporaryStore()
    const { clock, store } = temporary
    const { id } = await store.people.signIn(signInOf('alice'))
    const role = await store.roles.personal(id)
    await store.roles.grant(role.id, { ...READ_ALPHA, expiresAt: clock.now + 3, source: 'manual' })
    const directory = directoryOf(temporary)
    const member = await directory.resolve(id)
    expect(member?.validUntil).toBe(clock.now + 3)
    expect(member?.access.levelOf(ALPHA)).toBe('READ')
    clock.now += 2
    expect(directory.cached(id)).toBe(member)
    clock.now += 1
    expect(directory.cached(id)).toBeUndefined()
    expect((await directory.resolve(id))?.access.levelOf(ALPHA)).toBe('NO_PERMISSIONS')
  })

  it('makes what is in memory uncertain while the changes cannot be followed', async () => {
    const { directory, alice, clock } = await withReader()
    await directory.resolve(alice.id)
    clock.now += 5
    expect(directory.cached(alice.id)).toBeDefined()
    clock.now += 1
    expect(directory.cached(alice.id)).toBeUndefined()
    await directory.refresh()
    expect(directory.cached(alice.id)).toBeDefined()
    expect(directory.lastRefreshedAt()).toBe(clock.now)
  })

  it('makes it forget everything, and say so, once changes may have gone unread', async () => {
    const { directory, alice, clock } = await withReader()
    await directory.resolve(alice.id)
    const heard: string[] = []
    directory.onChange(({ kind, key }) => heard.push(`${kind} ${key}`))
    clock.now += CHANGES_KEPT / 2 + 1
    await directory.refresh()
    expect(directory.cached(alice.id)).toBeUndefined()
    expect(heard).toContain('token *')
    expect(heard).toContain('session *')
    expect(heard).toContain('keys *')
  })
})

describe('field report 94: a store in trouble', () => {
  it('is an error for who is not in memory, is reported while polling, and does not stop the polling', async () => {
    const temporary = await openTemporaryStore()
    const { store, clock } = temporary
    const { id } = await store.people.signIn(signInOf('alice'))
    let broken = false
    const changes = {
      ...store.changes,
      since: async (seq: number) => {
        if (broken) throw new Error('the store is down')
        return store.changes.since(seq)
      },
    }
    const errors: unknown[] = []
    const directory = directoryOf(temporary, {
      store: { people: store.people, changes },
      onError: (error) => errors.push(error),
    })
    directory.start()
    await directory.resolve(id)
    broken = true
    // Once a second where the store tells of changes.
    await vi.waitFor(() => expect(errors.length).toBeGreaterThan(1), { timeout: 5000 })
    clock.now += 6
    expect(directory.cached(id)).toBeUndefined()
    await expect(directory.resolve(id)).rejects.toThrow('the store is down')
    broken = false
    await vi.waitFor(() => expect(directory.cached(id)).toBeDefined(), { timeout: 5000 })
  })

  it('a stopped directory polls no more', async () => {
    const temporary = await openTemporaryStore()
    const directory = directoryOf(temporary, { pollMs: 5 })
    directory.start()
    directory.stop()
    directory.start()
    await vi.waitFor(() => expect(directory.lastRefreshedAt()).toBeDefined())
    directory.stop()
    await delay(20)
    temporary.statements.length = 0
    await delay(40)
    expect(temporary.statements).toEqual([])
  })
})

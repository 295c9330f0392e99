import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../src/errors.ts'
import { applyPolicy } from '../../src/policy/policy-file.ts'
import { createPolicyWatch } from '../../src/policy/policy-watch.ts'
import { openTemporaryStore, temporaryFolder } from '../store/temporary-store.ts'

const policy = (...roles: readonly string[]) =>
  `version: 1\nroles:\n${roles.map((name) => `  - { name: ${name}, grants: [] }\n`).join('') || '  []\n'}`

async function watched(first: string) {
  const { store } = await openTemporaryStore()
  const path = join(temporaryFolder(), 'policy.yaml')
  writeFileSync(path, first)
  const said: string[] = []
  let trouble: Error | undefined
  const options = {
    ...{ path, providerIds: ['oidc'] },
    apply: async (content: Parameters<typeof applyPolicy>[1]) => {
      if (trouble !== undefined) throw trouble
      return applyPolicy(store, content)
    },
    onApplied: () => void said.push('applied'),
    onFault: (message: string) => void said.push(message),
  }
  const watch = createPolicyWatch(options)
  await watch.applyNow()
  said.length = 0
  return {
    ...{ store, path, said, watch },
    other: createPolicyWatch(options),
    /** Looks as often as it takes a change to settle. */
    settle: async () => {
      await watch.look()
      await watch.look()
    },
    roles: async () => (await store.roles.list()).map(({ name }) => name),
    fail: (with_: Error | undefined) => {
      trouble = with_
    },
  }
}

describe('a change of the policy file', () => {
  it('is in force after the next two looks, once', async () => {
    const { path, settle, roles, said, watch } = await watched(policy('a'))
    writeFileSync(path, policy('a', 'b'))
    await watch.look()
    expect(await roles()).toEqual(['a'])
    await settle()
    await settle()
    expect([await roles(), said, watch.state()]).toEqual([['a', 'b'], ['applied'], { ok: true }])
  })

  it('is found by its bytes, whatever the time and size say', async () => {
    const { path, settle, roles } = await watched(policy('a'))
    utimesSync(path, 1, 1)
    await settle()
    writeFileSync(path, policy('b'))
    utimesSync(path, 1, 1)
    await settle()
    expect(await roles()).toEqual(['b'])
  })

  it('is found when another file takes its place, as editors do it', async () => {
    const { path, settle, roles } = await watched(policy('a'))
    writeFileSync(`${path}.new`, policy('b'))
    renameSync(`${path}.new`, path)
    await settle()
    expect(await roles()).toEqual(['b'])
  })

  it('is found when a folder behind it is exchanged, as Kubernetes does it', async () => {
    const { store } = await openTemporaryStore()
    const folder = temporaryFolder()
    const version = (name: string, text: string) => {
      mkdirSync(join(folder, name))
      writeFileSync(join(folder, name, 'policy.yaml'), text)
      symlinkSync(name, join(folder, '..data_tmp'))
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
    }
    version('..1', policy('a'))
    symlinkSync('..data/policy.yaml', join(folder, 'policy.yaml'))
    const ignored = () => undefined
    const watch = createPolicyWatch({
      ...{ path: join(folder, 'policy.yaml'), providerIds: ['oidc'], onApplied: ignored, onFault: ignored },
      apply: (content) => applyPolicy(store, content),
    })
    await watch.applyNow()
    version('..2', policy('b'))
    rmSync(join(folder, '..1'), { recursive: true })
    await watch.look()
    await watch.look()
    expect((await store.roles.list()).map(({ name }) => name)).toEqual(['b'])
  })

  it('that is only half written, and in order as far as it goes, never counts', async () => {
    const { path, roles, watch } = await watched(policy('a', 'b', 'c'))
    const whole = policy('a', 'b', 'c', 'd')
    for (const length of [whole.indexOf('  - { name: b'), whole.indexOf('  - { name: d'), whole.length]) {
      writeFileSync(path, whole.slice(0, length))
      await watch.look()
      expect(await roles()).toEqual(['a', 'b', 'c'])
    }
    await watch.look()
    expect(await roles()).toEqual(['a', 'b', 'c', 'd'])
  })

  it('is made by one of several gateways; for the others there is nothing left to do', async () => {
    const { path, settle, other, said, roles, store } = await watched(policy('a'))
    await other.applyNow()
    writeFileSync(path, policy('b'))
    await settle()
    const seq = await store.changes.latest()
    await other.look()
    await other.look()
    expect([await roles(), said, await store.changes.latest()]).toEqual([['b'], ['applied'], seq])
  })
})

describe('a policy file that cannot be put in force', () => {
  it('changes nothing, is told once with every line, and is over when it is mended', async () => {
    const { path, settle, roles, said, watch } = await watched(policy('a'))
    writeFileSync(path, 'version: 2\nroles:\n  - { name: b, grants: 1 }\n')
    await settle()
    await settle()
    expect(await roles()).toEqual(['a'])
    expect(said).toEqual([expect.stringMatching(/2 faults:\n {2}line 1: [\s\S]*line 3: /)])
    expect(watch.state()).toMatchObject({ ok: false, faults: 2, lines: [1, 3] })
    writeFileSync(path, policy('a'))
    await settle()
    expect(watch.state()).toEqual({ ok: true })
  })

  it.each([
    ['is gone', (path: string) => unlinkSync(path), 'The policy file is gone, or may not be looked at'],
    [
      'is a folder',
      (path: string) => {
        unlinkSync(path)
        mkdirSync(path)
      },
      'The policy file is no file',
    ],
    [
      'is huge',
      (path: string) => writeFileSync(path, Buffer.alloc(9 << 20)),
      'The policy file is larger than 8 MiB',
    ],
    ['is empty', (path: string) => writeFileSync(path, ''), 'The policy file has 1 fault'],
  ])('since it %s takes nothing from anybody', async (_what, change, problem) => {
    const { path, settle, roles, said, watch } = await watched(policy('a'))
    change(path)
    await settle()
    await settle()
    expect([await roles(), said.length, said[0]?.startsWith(problem)]).toEqual([['a'], 1, true])
    expect(watch.state()).toMatchObject({ ok: false, faults: 1 })
  })

  it('for a moment, as while it is replaced, is not even told', async () => {
    const { path, said, watch } = await watched(policy('a'))
    unlinkSync(path)
    await watch.look()
    writeFileSync(path, policy('a'))
    await watch.look()
    await watch.look()
    expect([said, watch.state()]).toEqual([[], { ok: true }])
  })

  it('since a role of that name was made by hand waits for that to go', async () => {
    const { path, store, settle, roles, said } = await watched(policy('a'))
    const { id } = await store.roles.create({ name: 'b' })
    writeFileSync(path, policy('b'))
    await settle()
    expect([await roles(), said]).toEqual([['a', 'b'], [expect.stringContaining('was made by hand')]])
    await store.roles.delete(id)
    await settle()
    expect([await roles(), said.length]).toEqual([['b'], 2])
  })

  it('since the store is away is tried again', async () => {
    const { path, fail, settle, roles, watch } = await watched(policy('a'))
    fail(new GatewayError('ERR_STORE_UNAVAILABLE', 'The database does not answer'))
    writeFileSync(path, policy('b'))
    await settle()
    expect(watch.state()).toMatchObject({ ok: false, problem: 'The database does not answer' })
    fail(undefined)
    await settle()
    expect([await roles(), watch.state()]).toEqual([['b'], { ok: true }])
  })
})

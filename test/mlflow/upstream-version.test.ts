import { describe, expect, it, vi } from 'vitest'
import { createUpstreamVersion, describeVersion } from '../../src/mlflow/upstream-version.ts'
import { KNOWN_VERSIONS } from '../../src/mlflow/version.ts'

type Said = { readonly status?: number; readonly text?: string } | 'away'

function start(said: Said) {
  let now = said
  const asked: unknown[] = []
  const version = createUpstreamVersion({
    minIntervalMs: 20,
    upstream: {
      send: async (request) => {
        asked.push(request)
        if (now === 'away') throw new Error('connect ECONNREFUSED')
        return { status: now.status ?? 200, headers: {}, bytes: Buffer.from(now.text ?? '') }
      },
    },
  })
  const told: unknown[] = []
  version.follow((like, text) => told.push([text, like]))
  return {
    version,
    asked,
    told,
    say: (next: Said) => {
      now = next
    },
  }
}

describe('the version of the tracking server', () => {
  it('is like all of them until it is read', () => {
    const { version, told, asked } = start({ text: '3.17.2' })
    expect(version.current()).toBeUndefined()
    expect(told).toEqual([[undefined, KNOWN_VERSIONS]])
    expect(asked).toEqual([])
  })

  it('is asked for with nothing of anybody in the request', async () => {
    const { version, asked } = start({ text: '3.17.2' })
    await version.read()
    expect(asked).toEqual([
      { method: 'GET', target: '/version', headers: ['accept', 'text/plain'], body: undefined },
    ])
  })

  it.each([
    ['3.17.2', ['3.17.2']],
    ['2.22.5\n', ['2.22.5']],
    ['3.5.0', ['3.1.4', '3.10.1']],
    ['4.0.0', ['3.17.2']],
  ])('%j is told once', async (text, like) => {
    const { version, told } = start({ text })
    await version.read()
    await version.read()
    expect(told.slice(1)).toEqual([[text.trim(), like]])
  })

  it.each([
    ['away', 'away'],
    ['not there', { status: 404, text: '3.1.4' }],
    ['a page', { text: '<html>3.1.4</html>' }],
    ['nothing', { text: '' }],
  ] as const)('stays what it was when the server is %s', async (_, said) => {
    const { version, told, say } = start({ text: '3.17.2' })
    await version.read()
    say(said)
    await version.read()
    expect(version.current()).toBe('3.17.2')
    expect(told).toHaveLength(2)
  })

  it('changes when another one answers', async () => {
    const { version, told, say } = start({ text: '3.10.1' })
    await version.read()
    say({ text: '3.17.2' })
    await version.read()
    expect(told.at(-1)).toEqual(['3.17.2', ['3.17.2']])
  })

  it('is asked for soon after a connection, once for many', async () => {
    const { version, asked, say } = start({ text: '3.10.1' })
    await version.read()
    say({ text: '3.17.2' })
    for (let count = 0; count < 100; count++) version.readSoon()
    await vi.waitFor(() => expect(version.current()).toBe('3.17.2'))
    expect(asked).toHaveLength(2)
    version.readSoon()
    version.stop()
    await new Promise((resolve) => setTimeout(resolve, 40))
    expect(asked).toHaveLength(2)
  })
})

describe('what /readyz says of it', () => {
  const unknown = { refused: () => 2, lately: () => ['POST /api/2.0/mlflow/experiments/teleport'] }
  const unknownRoutes = { refused: 2, lately: ['POST /api/2.0/mlflow/experiments/teleport'] }

  it.each([
    ['3.17.2', { version: '3.17.2', catalogue: { knowsVersion: true, judgedAs: ['3.17.2'] } }],
    ['3.18.0', { version: '3.18.0', catalogue: { knowsVersion: false, judgedAs: ['3.17.2'] } }],
    [undefined, { version: 'not read yet', catalogue: { knowsVersion: false, judgedAs: KNOWN_VERSIONS } }],
  ])('%s', (current, expected) => {
    expect(describeVersion({ current: () => current }, unknown)).toEqual({ ...expected, unknownRoutes })
  })
})

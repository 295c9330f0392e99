import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type SignedInApp, startSignedInApp } from '../console/signed-in.ts'

let app: SignedInApp

beforeAll(async () => {
  app = await startSignedInApp()
})

afterAll(() => app.close())

function get(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${app.port}${path}`, { headers, redirect: 'manual' })
}

describe('/auth', () => {
  it('says who one is, in which groups and roles, and escapes all of it', async () => {
    const { cookie, userId } = await app.signIn('ada', ['data <science>'])
    const role = await app.store.roles.create({ name: 'alpha "editor"' })
    await app.store.roles.assign(userId, role.id)
    await expect
      .poll(async () => (await get('/auth', { cookie })).text())
      .toContain('alpha &quot;editor&quot;')
    const text = await (await get('/auth/', { cookie })).text()
    expect(text).toContain('<strong>ada</strong>')
    expect(text).toContain('data &lt;science&gt;')
    expect(text).not.toContain('Administrator')
  })

  it('says so to an administrator', async () => {
    const { cookie } = await app.signIn('admin')
    expect(await (await get('/auth', { cookie })).text()).toContain('Administrator')
  })
})

describe('/auth/api/v1/me', () => {
  it('says who one is', async () => {
    const { cookie } = await app.signIn('bob', ['ds'])
    const response = await get('/auth/api/v1/me', { cookie })
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await response.json()).toEqual({
      username: 'bob',
      subject: 'bob',
      issuer: 'https://op.example.org',
      provider: 'oidc',
      roles: [],
      groups: ['ds'],
      is_admin: false,
    })
  })

  it('says 401 to strangers', async () => {
    const response = await get('/auth/api/v1/me')
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer realm="mlflow"')
  })
})

describe('/auth/assets', () => {
  it('are kept for good under their hash, and asked for again without', async () => {
    const { cookie } = await app.signIn('ada')
    const page = await (await get('/auth', { cookie })).text()
    const [, href = ''] = /<link rel="stylesheet" href="([^"]+)">/.exec(page) ?? []
    const response = await get(href)
    expect(response.headers.get('content-type')).toBe('text/css; charset=utf-8')
    expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    const etag = response.headers.get('etag') ?? ''
    expect(etag).toMatch(/^"[\w-]{22}"$/)
    expect((await get('/auth/assets/style.css')).headers.get('cache-control')).toBe('no-cache')
    const unchanged = await get('/auth/assets/style.css', { 'if-none-match': etag })
    expect([unchanged.status, await unchanged.text()]).toEqual([304, ''])
  })

  it.each(['/auth/assets/nope.css', '/auth/assets/..%2f..%2fpackage.json', '/auth/assets/', '/auth/nope'])(
    '%s → 404',
    async (path) => {
      expect((await get(path)).status).toBe(404)
    },
  )
})

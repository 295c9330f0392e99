import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchChromium } from '../support/chromium.ts'
import { AXE_SCREENS, openAs, SCREENS, type Screen, violations } from '../support/console-browser.ts'
import { A, RUN_A } from '../support/mlflow-stand-in.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import type { MemberName } from '../support/test-members.ts'

const IMAGES = fileURLToPath(new URL('../../docs/images/', import.meta.url))

/** What somebody could try to have run in a page of ours, as any name that is shown there. */
const SCRIPT = '<img src=x onerror="document.title=\'pwned\'">"\'`'

let gateway: TestGateway
let browser: Browser
let roleId: string

beforeAll(async () => {
  gateway = await startTestGateway()
  browser = await launchChromium()
  const { store, members } = gateway
  for (let index = 0; index < 40; index++) {
    const { id } = await store.people.signIn({
      ...{ provider: 'oidc', issuer: 'https://issuer.invalid', subject: `subject-${index}` },
      ...{
        username: `person-${index}`,
        displayName: `Person ${index}`,
        email: `person-${index}@example.org`,
      },
      groups: index % 3 === 0 ? ['ml-team'] : ['research'],
    })
    if (index % 7 === 0) await grantTo(id, index % 2 === 0 ? 'DENY' : 'MANAGE')
  }
  await store.people.signIn({
    ...{ provider: 'oidc', issuer: 'https://issuer.invalid', subject: 'x', username: `x${SCRIPT}` },
    ...{ displayName: SCRIPT, email: SCRIPT, groups: [SCRIPT] },
  })
  roleId = (await store.roles.create({ name: `role ${SCRIPT}`, description: SCRIPT })).id
  await store.roles.grant(roleId, {
    resourceType: 'experiment',
    match: 'name',
    pattern: SCRIPT,
    level: 'READ',
    source: 'manual',
  })
  await store.roles.mapGroup('oidc', SCRIPT, roleId)
  const asked = {
    userId: members.reader.userId,
    resourceType: 'experiment',
    key: '2',
    level: 'EDIT',
    note: SCRIPT,
  } as const
  await store.accessRequests.ask(asked)
  for (let index = 0; index < 30; index++) {
    await gateway.ask({
      target: `/api/2.0/mlflow/experiments/get?experiment_id=${1 + (index % 2)}`,
      as: index % 3 ? 'reader' : 'editor',
    })
  }
})

afterAll(async () => {
  await browser?.close()
  await gateway?.stop()
})

async function grantTo(userId: string, level: 'DENY' | 'MANAGE'): Promise<void> {
  const { id } = await gateway.store.roles.personal(userId)
  await gateway.store.roles.grant(id, {
    resourceType: 'experiment',
    match: 'exact',
    pattern: A,
    level,
    source: 'manual',
  })
}

const pages = (): Readonly<Record<string, string>> => ({
  overview: '/auth/admin',
  people: '/auth/admin/people',
  person: `/auth/admin/people/${gateway.members.editor.userId}`,
  groups: '/auth/admin/groups',
  group: `/auth/admin/groups?${new URLSearchParams({ provider: 'oidc', name: SCRIPT })}`,
  roles: '/auth/admin/roles',
  role: `/auth/admin/roles/${roleId}`,
  access: '/auth/admin/access',
  reach: `/auth/admin/access?resource_type=experiment&key=${A}`,
  requests: '/auth/admin/requests',
  audit: '/auth/admin/audit?range=hour',
  explain: `/auth/admin/explain?username=reader&operation=runs.delete&run=${RUN_A}`,
  own: '/auth/access',
})

/** Pictures that the documentation shows. */
const SHOWN: ReadonlySet<string> = new Set(['access', 'audit', 'explain'])

describe('every page', () => {
  it.each(SCREENS)('fits and complains of nothing at $width pixels, $colorScheme', async (screen) => {
    const { context, page, complaints } = await openAs(browser, gateway, { name: 'admin', screen })
    for (const [name, path] of Object.entries(pages())) {
      const answer = await page.goto(gateway.url + path)
      expect([name, answer?.status()]).toEqual([name, 200])
      expect([name, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([
        name,
        screen.width,
      ])
      expect(await page.title()).not.toBe('pwned')
      await keepPicture(page, name, screen)
    }
    expect(complaints).toEqual([])
    await context.close()
  })

  it.each(AXE_SCREENS)('meets WCAG AA at $width pixels, $colorScheme', async (screen) => {
    const { context, page } = await openAs(browser, gateway, { name: 'admin', screen, bypassCSP: true })
    for (const [name, path] of Object.entries(pages())) {
      await page.goto(gateway.url + path)
      expect([name, await violations(page)]).toEqual([name, []])
    }
    await context.close()
  })
})

async function keepPicture(page: Page, name: string, { width, colorScheme }: Screen): Promise<void> {
  await page.screenshot({ path: `/tmp/groups-pics/${name}-${width}-${colorScheme}.png`, fullPage: true })
  if (process.env['PICTURES'] === undefined || !SHOWN.has(name)) return
  mkdirSync(IMAGES, { recursive: true })
  await page.screenshot({ path: join(IMAGES, `console-${name}-${width}-${colorScheme}.png`) })
}

describe('what people do there', () => {
  const signedIn = async <T>(
    name: MemberName,
    use: (page: Page, context: BrowserContext) => Promise<T>,
  ): Promise<T> => {
    const { context, page } = await openAs(browser, gateway, { name })
    try {
      return await use(page, context)
    } finally {
      await context.close()
    }
  }
  const mayRead = async (as: MemberName) =>
    (await gateway.ask({ target: `/api/2.0/mlflow/experiments/get?experiment_id=${A}`, as })).status

  it('makes a role, grants, gives it to somebody, and their next request is allowed', async () => {
    await signedIn('admin', async (page) => {
      await page.goto(`${gateway.url}/auth/admin/roles`)
      await page.getByLabel('Name').fill('alpha-guests')
      await page.getByRole('button', { name: 'Create role' }).click()
      await page.getByRole('link', { name: 'alpha-guests' }).click()
      await page.getByLabel('Name or id').fill('alpha/*')
      await page.getByRole('button', { name: 'Add grant' }).click()
      await page.getByText('READ on experiment named alpha/*').waitFor()
      expect(await mayRead('outsider')).toBe(403)
      await page.getByLabel('Person').fill('outsider')
      await page.getByRole('button', { name: 'Give to person' }).click()
      await page.getByRole('link', { name: 'outsider' }).waitFor()
      expect(await mayRead('outsider')).toBe(200)
      await page.getByRole('button', { name: 'Take away from outsider' }).click()
      await page.getByText('Nobody holds it.').waitFor()
      expect(await mayRead('outsider')).toBe(403)
    })
  })

  it('asks for access and is granted it, for a day', async () => {
    await signedIn('outsider', async (page) => {
      await page.goto(`${gateway.url}/auth/access?resource_type=experiment&key=${A}`)
      await page.getByLabel('Why').fill('to compare the losses')
      await page.getByRole('button', { name: 'Ask', exact: true }).click()
      await page.getByText('READ on experiment 1').waitFor()
    })
    await signedIn('admin', async (page) => {
      await page.goto(`${gateway.url}/auth/admin/requests`)
      const request = page.getByRole('article').filter({ hasText: 'to compare the losses' })
      await request.getByLabel('For', { exact: true }).selectOption('1 day')
      await request.getByRole('button', { name: /^Grant/ }).click()
      await request.waitFor({ state: 'detached' })
    })
    expect(await mayRead('outsider')).toBe(200)
  })

  it('gives a group a role, and takes it away again', async () => {
    const { id } = await gateway.store.roles.create({ name: 'for the team' })
    const role = { resourceType: 'experiment', match: 'any', pattern: '*', level: 'READ' } as const
    await gateway.store.roles.grant(id, { ...role, source: 'manual' })
    await gateway.store.people.signIn({
      ...{ provider: 'oidc', issuer: 'https://issuer.invalid', subject: 'subject-outsider' },
      ...{ username: 'outsider', groups: ['team a/b'] },
    })
    const reads = async () =>
      (await gateway.ask({ target: '/api/2.0/mlflow/experiments/get?experiment_id=2', as: 'outsider' }))
        .status
    await signedIn('admin', async (page) => {
      await page.goto(`${gateway.url}/auth/admin/groups`)
      await page.getByRole('link', { name: 'team a/b' }).click()
      await page.getByRole('link', { name: 'outsider' }).waitFor()
      expect(await reads()).toBe(403)
      await page.getByLabel('Role', { exact: true }).selectOption('for the team')
      await page.getByRole('button', { name: 'Give role' }).click()
      await page.getByRole('link', { name: 'for the team' }).waitFor()
      expect(await reads()).toBe(200)
      await page.getByRole('link', { name: 'for the team' }).click()
      await page.getByRole('link', { name: 'oidc:team a/b' }).click()
      await page.getByRole('button', { name: 'Take away for the team' }).click()
      await page.getByText('None.').waitFor()
      expect(await reads()).toBe(403)
    })
  })

  it('is told who was first when two change one role', async () => {
    const { id } = await gateway.store.roles.create({ name: 'contested' })
    await signedIn('admin', async (page, context) => {
      await page.goto(`${gateway.url}/auth/admin/roles/${id}`)
      const other = await context.newPage()
      await other.goto(`${gateway.url}/auth/admin/roles/${id}`)
      await other.getByRole('button', { name: 'Add grant' }).click()
      await other.getByRole('button', { name: /^Revoke/ }).waitFor()
      await page.getByRole('button', { name: 'Delete this role' }).click()
      await page.getByRole('heading', { name: 'It has changed meanwhile' }).waitFor()
      expect(await gateway.store.roles.details(id)).toBeDefined()
    })
  })

  it.each(['editor', 'reader', 'outsider'] as const)(
    '%s sees their own page, and none of the console',
    async (name) => {
      await signedIn(name, async (page) => {
        expect((await page.goto(`${gateway.url}/auth/access`))?.status()).toBe(200)
        for (const path of Object.values(pages()).filter((each) => each.startsWith('/auth/admin'))) {
          expect([path, (await page.goto(gateway.url + path))?.status()]).toEqual([path, 403])
        }
      })
    },
  )

  it('works with the keyboard alone', async () => {
    await signedIn('admin', async (page) => {
      await page.goto(`${gateway.url}/auth/admin/people`)
      await page.keyboard.press('Tab')
      expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the content')
      await page.getByLabel('Name, display name').focus()
      await page.keyboard.type('person-11')
      await page.keyboard.press('Enter')
      await page.getByRole('link', { name: 'person-11' }).focus()
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { level: 1, name: 'person-11' }).waitFor()
    })
  })

  it('ends one session of somebody, and revokes their tokens', async () => {
    await signedIn('admin', async (page) => {
      await page.goto(`${gateway.url}/auth/admin/people/${gateway.members.reader.userId}`)
      await page.getByRole('button', { name: 'End session 1' }).click()
      await page.getByText('None: not signed in anywhere.').waitFor()
      expect(await mayRead('reader')).toBe(200)
      await page.getByRole('button', { name: 'Revoke all tokens' }).click()
      await page.getByRole('button', { name: 'Revoke all tokens' }).waitFor({ state: 'detached' })
      expect(await mayRead('reader')).toBe(401)
    })
  })
})

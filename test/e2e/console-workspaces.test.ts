import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchChromium } from '../support/chromium.ts'
import { AXE_SCREENS, openAs, SCREENS, violations } from '../support/console-browser.ts'
import { A, RUN_A } from '../support/mlflow-stand-in.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import type { MemberName } from '../support/test-members.ts'

/** The reader administers `team`; the outsider may edit in `theirs`. */
let gateway: TestGateway
let browser: Browser
let roleIds: Readonly<Record<'team' | 'theirs', string>>

beforeAll(async () => {
  gateway = await startTestGateway({ env: { WORKSPACES: 'true' } })
  browser = await launchChromium()
  const { store, members } = gateway
  const give = async (workspace: string, type: 'workspace' | 'experiment', to: MemberName) => {
    const { id } = await store.roles.create({ name: `people of ${workspace}`, workspace })
    const level = type === 'workspace' ? 'MANAGE' : 'EDIT'
    await store.roles.grant(id, { resourceType: type, match: 'any', pattern: '*', level, source: 'manual' })
    await store.roles.assign(members[to].userId, id)
    await store.roles.mapGroup('oidc', `${workspace} people`, id)
    return id
  }
  roleIds = {
    team: await give('team', 'workspace', 'reader'),
    theirs: await give('theirs', 'experiment', 'outsider'),
  }
  const asked = { resource_type: 'experiment', key: A, level: 'EDIT', note: 'to help', workspace: 'team' }
  await gateway.ask({ method: 'POST', target: '/auth/api/v1/requests', as: 'outsider', json: asked })
  await gateway.ask({
    ...{ target: `/api/2.0/mlflow/experiments/get?experiment_id=${A}`, as: 'reader' },
    headers: ['X-MLFLOW-WORKSPACE: team'],
  })
})

afterAll(async () => {
  await browser?.close()
  await gateway?.stop()
})

const shared = () => ({
  roles: '/auth/admin/roles?workspace=team',
  role: `/auth/admin/roles/${roleIds.team}`,
  access: '/auth/admin/access?workspace=team',
  reach: `/auth/admin/access?resource_type=experiment&key=${A}&workspace=team`,
  explain: `/auth/admin/explain?username=reader&operation=runs.delete&run=${RUN_A}&workspace=team`,
  own: '/auth/access',
})
const pagesOf = (name: MemberName): Readonly<Record<string, string>> =>
  name === 'admin'
    ? { ...shared(), everyRole: '/auth/admin/roles', audit: '/auth/admin/audit?range=hour' }
    : shared()

describe.each(['admin', 'reader'] as const)('every page about a workspace, for the %s', (name) => {
  it.each(SCREENS)('fits and complains of nothing at $width pixels, $colorScheme', async (screen) => {
    const { context, page, complaints } = await openAs(browser, gateway, { name, screen })
    for (const [title, path] of Object.entries(pagesOf(name))) {
      expect([title, (await page.goto(gateway.url + path))?.status()]).toEqual([title, 200])
      const width = await page.evaluate('document.documentElement.scrollWidth')
      expect([title, width]).toEqual([title, screen.width])
    }
    expect(complaints).toEqual([])
    await context.close()
  })

  it.each(AXE_SCREENS)('meets WCAG AA at $width pixels, $colorScheme', async (screen) => {
    const { context, page } = await openAs(browser, gateway, { name, screen, bypassCSP: true })
    for (const [title, path] of Object.entries(pagesOf(name))) {
      await page.goto(gateway.url + path)
      expect([title, await violations(page)]).toEqual([title, []])
    }
    await context.close()
  })
})

describe('an administrator of a workspace', () => {
  const signedIn = async (name: MemberName, use: (page: Page) => Promise<void>) => {
    const { context, page } = await openAs(browser, gateway, { name })
    try {
      await use(page)
    } finally {
      await context.close()
    }
  }
  const readsInTeam = async (as: MemberName) =>
    (
      await gateway.ask({
        ...{ target: `/api/2.0/mlflow/experiments/get?experiment_id=${A}`, as },
        headers: ['X-MLFLOW-WORKSPACE: team'],
      })
    ).line

  it('finds the way there, makes a role and gives it, and the holder may at once', async () => {
    await signedIn('reader', async (page) => {
      await page.goto(`${gateway.url}/auth/access`)
      await page.getByRole('link', { name: 'team', exact: true }).click()
      const sections = page.getByRole('navigation', { name: 'Console' }).getByRole('link')
      expect(await sections.allTextContents()).toEqual(['Roles', 'Access', 'Explain'])
      await page.getByLabel('Name').fill('visitors')
      await page.getByRole('button', { name: 'Create role' }).click()
      await page.getByRole('link', { name: 'visitors' }).click()
      await page.getByText('Its grants count in workspace team').waitFor()
      await page.getByLabel('Name or id').fill('*')
      await page.getByRole('button', { name: 'Add grant' }).click()
      await page.getByText('READ on experiment named * in workspace team').waitFor()
      expect(await readsInTeam('editor')).toBe('403 PERMISSION_DENIED no_such_membership')
      await page.getByLabel('Person').fill('editor')
      await page.getByRole('button', { name: 'Give to person' }).click()
      await page.getByRole('button', { name: 'Take away from editor' }).waitFor()
      expect(await readsInTeam('editor')).toBe('200 allow')
    })
  })

  it('answers a request for what is in it', async () => {
    await signedIn('reader', async (page) => {
      await page.goto(`${gateway.url}/auth/access`)
      const request = page.getByRole('article').filter({ hasText: 'to help' })
      await request.getByRole('button', { name: /^Grant EDIT on experiment .* in workspace team/ }).click()
      await request.waitFor({ state: 'detached' })
      expect(await readsInTeam('outsider')).toBe('200 allow')
    })
  })

  it('sees nothing else of the console', async () => {
    await signedIn('reader', async (page) => {
      for (const [path, status] of [
        ...['', '/people', '/groups', '/requests', '/audit'].map(
          (each) => [`/auth/admin${each}`, 403] as const,
        ),
        [`/auth/admin/roles/${roleIds.theirs}`, 404],
        ['/auth/admin/access?workspace=theirs', 403],
      ] as const) {
        expect([path, (await page.goto(gateway.url + path))?.status()]).toEqual([path, status])
      }
    })
  })
})

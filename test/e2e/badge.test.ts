/**
 * The badge in MLflow's page: a page of our own stands for MLflow's, so that names, answers and looks can be anything.
 * On the real one: ask-for-access.test.ts.
 */
import { createRequire } from 'node:module'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchChromium } from '../support/chromium.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import type { MemberName } from '../support/test-members.ts'

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

/** What somebody could try to have run in MLflow's page, as their name. */
const SCRIPT = '<img src=x onerror="document.title=\'pwned\'">'

/** Leaves the gateway with the policy of MLflow's page. */
const SHELL = {
  headers: { 'content-type': 'text/html; charset=utf-8' },
  body: '<!doctype html><html lang="en"><head><title>MLflow</title></head><body><main><h1>MLflow</h1></main></body></html>',
}

let gateway: TestGateway
let browser: Browser

beforeAll(async () => {
  gateway = await startTestGateway({ mlflow: { 'GET /': SHELL } })
  browser = await launchChromium()
})

afterAll(async () => {
  await browser?.close()
  await gateway?.stop()
})

type Options = { readonly path?: string; readonly bypassCSP?: boolean; readonly width?: number }

/** MLflow's page with somebody signed in, and what it complained about. */
async function open(name: MemberName, { path = '/', bypassCSP = false, width = 1280 }: Options = {}) {
  const context = await browser.newContext({ bypassCSP, viewport: { width, height: 800 } })
  await context.addCookies(
    gateway.members[name].cookie.split('; ').map((pair) => {
      const at = pair.indexOf('=')
      return { name: pair.slice(0, at), value: pair.slice(at + 1), url: gateway.url }
    }),
  )
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' && !/status of 40[34]/.test(message.text()))
      complaints.push(message.text())
  })
  page.on('pageerror', (fault) => complaints.push(String(fault)))
  await page.goto(gateway.url + path)
  const toggle = page.getByRole('button', { name: /^Signed in as/ })
  await toggle.waitFor()
  return { context, page, toggle, complaints, panel: page.getByRole('navigation', { name: 'Your account' }) }
}

const ask = (page: Page, target: string, way: 'fetch' | 'xhr' = 'fetch') =>
  page.evaluate(
    way === 'fetch'
      ? `fetch('${target}').then(() => undefined)`
      : `new Promise((resolve) => { const x = new XMLHttpRequest(); x.open('GET', '${target}'); x.onload = () => resolve(); x.send() })`,
  )

const isFocused = (page: Page) =>
  page.evaluate(
    "document.querySelector('#mlflow-gateway-badge').shadowRoot.activeElement?.className === 'toggle'",
  )

const EXPERIMENT_B = '/ajax-api/2.0/mlflow/experiments/get?experiment_id=2'
const RUN_B = `/ajax-api/2.0/mlflow/runs/get?run_id=${'b'.repeat(32)}`

describe('who is signed in', () => {
  it.each([
    ['reader', ['/auth/access', '/auth/tokens', '/auth/logout']],
    ['admin', ['/auth/access', '/auth/tokens', '/auth/admin', '/auth/logout']],
  ] as const)('%s has the ways to what is theirs, within the policy of the page', async (name, paths) => {
    const { context, page, toggle, panel, complaints } = await open(name)
    expect(await panel.isVisible()).toBe(false)
    await toggle.click()
    expect(await panel.textContent()).toContain(`Signed in as ${name}`)
    const links = await panel
      .getByRole('link')
      .evaluateAll((all) => all.map((each) => each.getAttribute('href')))
    expect(links).toEqual(paths.map((path) => gateway.url + path))
    await page.mouse.click(600, 100)
    expect(await panel.isVisible()).toBe(false)
    expect(complaints).toEqual([])
    await context.close()
  })

  it('is reached, opened and closed with the keyboard, and keeps the focus', async () => {
    const { context, page, toggle, panel } = await open('reader')
    const focused = () =>
      page.evaluate("document.querySelector('#mlflow-gateway-badge').shadowRoot.activeElement?.textContent")
    await page.keyboard.press('Tab')
    for (const key of ['Enter', 'Space']) {
      expect(await toggle.getAttribute('aria-expanded')).toBe('false')
      await page.keyboard.press(key)
      expect(await toggle.getAttribute('aria-expanded')).toBe('true')
      await page.keyboard.press('Tab')
      expect(await focused()).toBe('My access')
      await page.keyboard.press('Escape')
      expect(await panel.isVisible()).toBe(false)
      expect(await isFocused(page)).toBe(true)
    }
    await context.close()
  })

  it('signs out the way every page does', async () => {
    const { context, page, toggle, panel } = await open('outsider')
    await toggle.click()
    await panel.getByRole('link', { name: 'Sign out' }).click()
    await page.waitForURL(`${gateway.url}/auth/logout`)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.waitForURL(`${gateway.url}/auth/signed-out`)
    expect((await page.request.get(`${gateway.url}/auth/api/v1/me`)).status()).toBe(401)
    await context.close()
  })

  it('shows a name as text, whatever it is', async () => {
    await gateway.store.people.signIn({
      ...{ provider: 'oidc', issuer: 'https://issuer.invalid', subject: 'subject-editor', username: SCRIPT },
      groups: [],
    })
    const { context, page, toggle, panel } = await open('editor')
    await expect
      .poll(async () => {
        await page.reload()
        await toggle.waitFor()
        return toggle.getAttribute('title')
      })
      .toBe(`Signed in as ${SCRIPT}`)
    await toggle.click()
    expect(await panel.textContent()).toContain(SCRIPT)
    expect(await page.locator('img').count()).toBe(0)
    expect(await page.title()).toBe('MLflow')
    await context.close()
  })
})

describe('what was refused', () => {
  it.each(['fetch', 'xhr'] as const)('leads to the form, filled in (%s)', async (way) => {
    const { context, page } = await open('reader', { path: '/#/experiments/2/runs' })
    await ask(page, RUN_B, way)
    await page.getByText(`You do not have READ on run ${'b'.repeat(32)}.`).waitFor()
    // People know the experiment better than a run in it, whichever is answered first.
    await ask(page, EXPERIMENT_B, way)
    await page.getByText('You do not have READ on experiment 2.').waitFor()
    await ask(page, RUN_B, way)
    expect(await page.getByText(/^You do not have/).allTextContents()).toEqual([
      'You do not have READ on experiment 2.',
    ])
    await page.getByRole('link', { name: 'Ask for access' }).click()
    await page.waitForURL(/\/auth\/access\?/)
    expect([
      await page.getByLabel('For a', { exact: true }).inputValue(),
      await page.getByLabel('Its id').inputValue(),
      await page.getByLabel('Level').inputValue(),
    ]).toEqual(['experiment', '2', 'READ'])
    await context.close()
  })

  it('is forgotten elsewhere, and on being told so; what is allowed is never spoken of', async () => {
    const { context, page } = await open('reader', { path: '/#/experiments/2/runs' })
    const said = page.getByText(/^You do not have/)
    await ask(page, '/ajax-api/2.0/mlflow/experiments/get?experiment_id=1')
    await ask(page, '/no-such-thing')
    expect(await said.count()).toBe(0)
    await ask(page, EXPERIMENT_B)
    await said.waitFor()
    await page.evaluate("history.pushState({}, '', '#/experiments/2/runs?page=2')")
    await page.waitForTimeout(700)
    expect(await said.count()).toBe(1)
    await page.evaluate("history.pushState({}, '', '#/experiments/1/runs')")
    await said.waitFor({ state: 'detached' })
    await ask(page, EXPERIMENT_B)
    await page.getByRole('button', { name: 'Not now' }).click()
    expect(await said.count()).toBe(0)
    expect(await isFocused(page)).toBe(true)
    await context.close()
  })

  it('is not spoken of where one has gone on meanwhile', async () => {
    const { context, page } = await open('reader', { path: '/#/experiments/2/runs' })
    await page.evaluate(
      `{ const asked = fetch('${EXPERIMENT_B}'); history.pushState({}, '', '#/experiments'); asked }`,
    )
    await page.waitForTimeout(500)
    expect(await page.getByText(/^You do not have/).count()).toBe(0)
    await context.close()
  })

  it('leads nowhere else, whoever says so', async () => {
    const { context, page } = await open('reader')
    // Of MLflow, or a provider behind it.
    gateway.script({
      'GET /': SHELL,
      '*': { status: 403, headers: { 'x-ask-for-access': '/auth/access?level=MANAGE' }, body: {} },
    })
    await ask(page, '/ajax-api/2.0/mlflow/experiments/search?max_results=1')
    await page.evaluate(`for (const link of ['https://evil.invalid/auth/access', 'javascript:alert(1)', '/auth/logout', '//evil.invalid/auth/access'])
      dispatchEvent(new CustomEvent('mlflow-gateway:refused', { detail: { link, place: location.pathname } }))`)
    expect(await page.getByText(/^You do not have/).count()).toBe(0)
    gateway.script({ 'GET /': SHELL })
    await context.close()
  })
})

describe('how it looks', () => {
  it.each([
    ['light', 390],
    ['dark', 390],
    ['light', 1280],
    ['dark', 1280],
  ] as const)('meets WCAG AA, %s at %d pixels, open and on a refusal', async (look, width) => {
    const { context, page, toggle } = await open('admin', { bypassCSP: true, width })
    // As MLflow does it, whatever the system prefers.
    if (look === 'dark') await page.evaluate("document.body.className = 'dark-mode'")
    await expect
      .poll(() => page.evaluate("document.querySelector('#mlflow-gateway-badge').hasAttribute('data-dark')"))
      .toBe(look === 'dark')
    await page.addScriptTag({ path: AXE })
    const violations = () =>
      page.evaluate(
        `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }).then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ target }) => target)))`,
      )
    await toggle.click()
    expect(await violations()).toEqual([])
    await page.evaluate(
      "dispatchEvent(new CustomEvent('mlflow-gateway:refused', { detail: { link: '/auth/access?resource_type=experiment&key=2&level=READ', place: '/' } }))",
    )
    await page.getByRole('link', { name: 'Ask for access' }).waitFor()
    expect(await violations()).toEqual([])
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width)
    await context.close()
  })
})

describe('UI_BADGE=false', () => {
  it('leaves the script out that shows it, and nothing else', async () => {
    const other = await startTestGateway({ env: { UI_BADGE: 'false' }, mlflow: { 'GET /': SHELL } })
    const scripts = async (from: TestGateway) =>
      [...(await from.ask({ target: '/', as: 'reader' })).text.matchAll(/assets\/(\w+\.js)/g)].map(
        ([, name]) => name,
      )
    try {
      expect([await scripts(gateway), await scripts(other)]).toEqual([
        ['session.js', 'badge.js'],
        ['session.js'],
      ])
    } finally {
      await other.stop()
    }
  })
})

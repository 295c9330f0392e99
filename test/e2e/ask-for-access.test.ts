/**
 * On a real MLflow in a real browser: somebody is refused, asks from where they were refused, whoever may answer does,
 * and it holds at once. Also that the badge, which offers it, stands on none of MLflow's own controls.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launchChromium, openSignedIn } from '../support/chromium.ts'
import { type Deployment, startDeployment } from '../support/deployment.ts'
import type { AccountName } from '../support/issuer.ts'

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
const IMAGES = fileURLToPath(new URL('../../docs/images/', import.meta.url))

const POLICY = `version: 1
roles:
  - name: alpha-reader
    grants:
      - { experiment: { name: "alpha/*" }, level: READ }
  - name: gamma-owner
    grants:
      - { experiment: { name: "gamma/*" }, level: MANAGE }
users:
  reader: [alpha-reader]
  editor: [gamma-owner]
`

let dir: string
let deployment: Deployment
let chromium: Browser
/** Of an experiment each: the administrators' beta, the editor's gamma, and one that the reader may read. */
let beta: Made
let gamma: Made
let alpha: Made

type Made = { readonly experimentId: string; readonly runId: string }

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'gateway-ask-'))
  const policyFile = join(dir, 'policy.yaml')
  writeFileSync(policyFile, POLICY)
  ;[deployment, chromium] = await Promise.all([
    startDeployment({ policyFile, mlflow: { startTimeoutMs: 200_000 }, env: { AUDIT_STDOUT: 'false' } }),
    launchChromium(),
  ])
  const url = deployment.mlflow?.url ?? ''
  ;[beta, gamma, alpha] = [
    await make(url, 'beta/secret'),
    await make(url, 'gamma/plans'),
    await make(url, 'alpha/one'),
  ]
}, 300_000)

afterAll(async () => {
  await chromium?.close()
  await deployment?.stop()
  rmSync(dir, { recursive: true, force: true })
})

/** An experiment with a run, made behind the gateway's back. */
async function make(url: string, name: string): Promise<Made> {
  const post = async (path: string, body: object) => {
    const response = await fetch(`${url}/api/2.0/mlflow/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as { experiment_id: string; run: { info: { run_id: string } } }
  }
  const { experiment_id: experimentId } = await post('experiments/create', { name })
  const run_name = `run of ${name}`
  const { run } = await post('runs/create', { experiment_id: experimentId, run_name, start_time: Date.now() })
  return { experimentId, runId: run.info.run_id }
}

type Screen = { readonly width: number; readonly colorScheme: 'light' | 'dark' }

const DESK: Screen = { width: 1280, colorScheme: 'light' }

/** Somebody's browser. `complaints` are those of a policy that was not kept to. */
async function signedIn(name: AccountName, { width, colorScheme } = DESK, bypassCSP = false) {
  const context = await chromium.newContext({ colorScheme, bypassCSP, viewport: { width, height: 800 } })
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    // What MLflow itself would fetch from elsewhere is not for the badge to answer for.
    const ours = !message.text().includes('https://mlflow.org/')
    if (ours && /Content Security Policy|Refused to/i.test(message.text())) complaints.push(message.text())
  })
  await openSignedIn(page, { gatewayUrl: deployment.gateway.url, name, path: '/version' })
  return { context, page, complaints, at: (path: string) => page.goto(deployment.gateway.url + path) }
}

const statusOf = async (page: Page, { experimentId }: Made) =>
  (
    await page.request.get(
      `${deployment.gateway.url}/ajax-api/2.0/mlflow/experiments/get?experiment_id=${experimentId}`,
    )
  ).status()

/** With PICTURES, what the documentation shows; with INTERFACE_PICTURES, all of them, there. */
async function keepPicture(page: Page, name: string): Promise<void> {
  const shown = process.env['PICTURES'] !== undefined && name === 'badge-refused-1280-light'
  const folder = shown ? IMAGES : process.env['INTERFACE_PICTURES']
  if (folder === undefined) return
  mkdirSync(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `${name}.png`) })
}

async function violations(page: Page): Promise<unknown> {
  await page.addScriptTag({ path: AXE })
  return page.evaluate(
    `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }).then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ target }) => target)))`,
  )
}

/** What is on record of answers, and of what. */
async function answered(operation: string): Promise<unknown> {
  const { context, page } = await signedIn('admin')
  const url = `${deployment.gateway.url}/auth/api/v1/audit?operation=admin.requests.${operation}`
  const read = async () => (await (await page.request.get(url)).json()).events
  await expect.poll(async () => (await read()).length).toBeGreaterThan(0)
  const [event] = await read()
  await context.close()
  return { username: event.username, effect: event.effect, resources: event.resources }
}

describe('in MLflow’s interface', () => {
  test('what is refused is asked for, granted for a day, and opens within a second', async () => {
    const reader = await signedIn('reader')
    await reader.at(`/#/experiments/${beta.experimentId}/runs`)
    await reader.page.getByText(`You do not have READ on experiment ${beta.experimentId}.`).waitFor()
    await keepPicture(reader.page, 'badge-refused-1280-light')
    await reader.page.getByRole('link', { name: 'Ask for access' }).click()
    await reader.page.getByLabel('Why').fill('for the report')
    await reader.page.getByRole('button', { name: 'Ask', exact: true }).click()
    await reader.page.getByText('Your request was sent.').waitFor()
    expect(await reader.page.getByRole('status').textContent()).toContain('the administrators')

    const admin = await signedIn('admin')
    await admin.at('/auth/admin/requests')
    const request = admin.page.getByRole('article').filter({ hasText: 'for the report' })
    await request.getByRole('heading', { name: 'reader asks for READ on experiment beta/secret' }).waitFor()
    await request.getByLabel('For', { exact: true }).selectOption('1 day')
    expect(await statusOf(reader.page, beta)).toBe(403)
    await request.getByRole('button', { name: /^Grant/ }).click()
    await request.waitFor({ state: 'detached' })
    const granted = Date.now()
    await expect.poll(() => statusOf(reader.page, beta), { interval: 50, timeout: 1000 }).toBe(200)
    expect(Date.now() - granted).toBeLessThan(1000)

    await reader.at(`/#/experiments/${beta.experimentId}/runs`)
    await reader.page.getByText('run of beta/secret').first().waitFor()
    expect(await reader.page.getByText(/^You do not have/).count()).toBe(0)
    await reader.at('/auth/access')
    await reader.page.getByText('granted', { exact: true }).waitFor()
    expect([reader.complaints, admin.complaints]).toEqual([[], []])
    expect(await answered('grant')).toMatchObject({
      ...{ username: 'admin', effect: 'allow' },
      resources: expect.arrayContaining([
        expect.objectContaining({ type: 'experiment', id: beta.experimentId }),
      ]),
    })
    await reader.context.close()
    await admin.context.close()
  })

  test('what takes a higher level is offered with just that', async () => {
    const { context, page, at } = await signedIn('reader')
    await at(`/#/experiments/${alpha.experimentId}/runs`)
    await page.getByText('run of alpha/one').first().waitFor()
    await page.evaluate(
      `fetch('ajax-api/2.0/mlflow/runs/delete', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"run_id":"${alpha.runId}"}' })`,
    )
    await page.getByText(`You do not have MANAGE on experiment ${alpha.experimentId}.`).waitFor()
    await context.close()
  })
})

describe('on a page of its own', () => {
  test.each<Screen>([
    { width: 390, colorScheme: 'dark' },
    { width: 1280, colorScheme: 'light' },
  ])(
    'a refusal leads to the form, and the answer of whoever manages it back ($width, $colorScheme)',
    async (screen) => {
      const name = `${screen.width}-${screen.colorScheme}`
      const reader = await signedIn('reader', screen)
      const file = `/get-artifact?run_uuid=${gamma.runId}&path=notes.txt`
      expect((await reader.at(file))?.status()).toBe(403)
      await keepPicture(reader.page, `refusal-${name}`)
      await reader.page.getByRole('link', { name: 'Ask for access' }).click()
      expect(await reader.page.getByLabel('Its id').inputValue()).toBe(gamma.runId)
      expect(await reader.page.getByLabel('For a', { exact: true }).inputValue()).toBe('run')
      await reader.page.getByLabel('Why').fill(`to compare, ${name}`)
      await reader.page.getByRole('button', { name: 'Ask', exact: true }).click()
      await reader.page.getByText('Your request was sent.').waitFor()
      await keepPicture(reader.page, `asked-${name}`)

      const editor = await signedIn('editor', screen)
      await editor.at('/auth/access')
      const request = editor.page.getByRole('article').filter({ hasText: `to compare, ${name}` })
      await request
        .getByRole('heading', { name: /reader asks for READ on experiment gamma\/plans \(asked for as run / })
        .waitFor()
      await keepPicture(editor.page, `answer-${name}`)
      expect(await editor.page.evaluate('document.documentElement.scrollWidth')).toBe(screen.width)
      await request.getByLabel('What to tell them').fill('not before the <b>review</b>')
      await request.getByRole('button', { name: /^Decline/ }).click()
      await request.waitFor({ state: 'detached' })

      await reader.at('/auth/access')
      const told = reader.page.getByText(/declined by editor, .*“not before the <b>review<\/b>”/)
      await told.first().waitFor()
      expect((await reader.at(file))?.status()).toBe(403)
      expect(await reader.page.evaluate('document.documentElement.scrollWidth')).toBe(screen.width)
      expect([reader.complaints, editor.complaints]).toEqual([[], []])
      expect(await answered('decline')).toMatchObject({ username: 'editor', effect: 'allow' })
      await reader.context.close()
      await editor.context.close()
    },
  )

  test.each<Screen>([
    { width: 390, colorScheme: 'dark' },
    { width: 1280, colorScheme: 'light' },
  ])('the refusal, the form and the answer meet WCAG AA ($width, $colorScheme)', async (screen) => {
    const { context, page, at } = await signedIn('reader', screen, true)
    for (const path of [
      `/get-artifact?run_uuid=${gamma.runId}&path=notes.txt`,
      `/auth/access?resource_type=run&key=${gamma.runId}&level=READ`,
      '/auth/access?asked=yes',
    ]) {
      await at(path)
      expect([path, await violations(page)]).toEqual([path, []])
    }
    await context.close()
  })
})

describe('the badge', () => {
  /** Any control of MLflow's that lies where the badge stands and cannot be scrolled from there. */
  const COVERED = `(() => {
    const { left, top, width, height } = document.querySelector('#mlflow-gateway-badge').shadowRoot.querySelector('.toggle').getBoundingClientRect()
    const scrolls = (each) => each !== null && ((each.scrollHeight > each.clientHeight && /auto|scroll/.test(getComputedStyle(each).overflowY)) || scrolls(each.parentElement))
    const found = new Set()
    for (let x = 1; x < width; x += 3) for (let y = 1; y < height; y += 3)
      for (const each of document.elementsFromPoint(left + x, top + y)) {
        const control = each.closest('a,button,input,select,textarea,[role=button],[role=tab],[role=combobox],[role=checkbox]')
        if (control && !scrolls(control)) found.add(control.outerHTML.slice(0, 100))
      }
    return [...found]
  })()`

  const pages = () => [
    '/',
    '/experiments',
    ...['runs', 'runs?compareRunsMode=CHART', 'traces', 'models', 'playground', 'judges'].map(
      (below) => `/experiments/${beta.experimentId}/${below}`,
    ),
    `/experiments/${beta.experimentId}/runs/${beta.runId}`,
    ...['/models', '/prompts', '/gateway', '/settings', '/account'],
  ]

  test.each<Screen>([
    { width: 390, colorScheme: 'dark' },
    { width: 1280, colorScheme: 'light' },
    { width: 1920, colorScheme: 'dark' },
  ])('stands on no control of MLflow’s at $width pixels, and can be used ($colorScheme)', async (screen) => {
    const { context, page, at, complaints } = await signedIn('admin', screen)
    const toggle = page.getByRole('button', { name: 'Signed in as admin' })
    for (const path of pages()) {
      await at(`/#${path}`)
      await toggle.waitFor()
      await page.waitForTimeout(1000)
      expect([path, await page.evaluate(COVERED)]).toEqual([path, []])
    }
    await page.getByRole('button', { name: 'Toggle sidebar' }).click()
    for (const path of pages().slice(0, 4)) {
      await at(`/#${path}`)
      await page.waitForTimeout(1000)
      expect([path, 'without the sidebar', await page.evaluate(COVERED)]).toEqual([
        path,
        'without the sidebar',
        [],
      ])
    }
    await at('/#/experiments')
    await page.waitForTimeout(1000)
    await page.getByRole('button', { name: 'Toggle sidebar' }).click()
    await toggle.click()
    await page.getByRole('link', { name: 'Administration' }).waitFor()
    await keepPicture(page, `badge-${screen.width}-${screen.colorScheme}`)
    await page.keyboard.press('Escape')
    expect(await page.getByRole('link', { name: 'Administration' }).count()).toBe(0)
    expect(complaints).toEqual([])
    await context.close()
  })
})

import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, test } from 'vitest'
import { launchChromium, openSignedIn, typeName, watchTraffic } from '../support/chromium.ts'
import { ACCOUNTS, type Deployment, startDeployment } from '../support/deployment.ts'
import type { AccountName } from '../support/issuer.ts'

let deployment: Deployment
let chromium: Browser
let context: BrowserContext
let page: Page
let url: string
const seeded = { experimentId: '', runId: '' }

beforeAll(async () => {
  ;[deployment, chromium] = await Promise.all([
    startDeployment({ env: { AUDIT_STDOUT: 'false' } }),
    launchChromium(),
  ])
  url = deployment.gateway.url
  for (const name of ACCOUNTS) await deployment.signIn(name)
  Object.assign(seeded, await seed(await deployment.createToken('editor')))
  await call(await deployment.createToken('admin'), 'experiments/create', { name: 'beta/secret' })
})

afterAll(async () => {
  await chromium.close()
  await deployment.stop()
})

beforeEach(async () => {
  context = await chromium.newContext({ viewport: { width: 1280, height: 800 } })
  page = await context.newPage()
})

afterEach(() => context.close())

async function call(token: string, path: string, body: unknown) {
  const response = await fetch(`${url}/api/2.0/mlflow/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
  return (await response.json()) as { experiment_id: string; run: { info: { run_id: string } } }
}

async function seed(token: string): Promise<typeof seeded> {
  const { experiment_id: experimentId } = await call(token, 'experiments/create', { name: 'alpha/one' })
  const { run } = await call(token, 'runs/create', { experiment_id: experimentId, run_name: 'seen-run' })
  const runId = run.info.run_id
  for (const [name, text] of [
    ['note.txt', 'text of the artifact'],
    [
      'report.html',
      `<h1>a report</h1><script>fetch('${url}/ajax-api/2.0/mlflow/users/current?stolen', { mode: 'no-cors', credentials: 'include' })</script>`,
    ],
  ]) {
    const response = await fetch(
      `${url}/api/2.0/mlflow-artifacts/artifacts/${experimentId}/${runId}/artifacts/${name}`,
      { method: 'PUT', headers: { authorization: `Bearer ${token}` }, body: text ?? '' },
    )
    if (!response.ok) throw new Error(`upload: ${response.status} ${await response.text()}`)
  }
  return { experimentId, runId }
}

const signIn = (name: AccountName, path = '/') => openSignedIn(page, { gatewayUrl: url, name, path })
const rowOf = (name: string) => page.getByRole('link', { name, exact: true })

test('who signs in sees the own name and the own experiments, and nobody else’s', async () => {
  const traffic = watchTraffic(page)
  await signIn('editor')
  await page.goto(`${url}/#/experiments`)
  await rowOf('alpha/one').waitFor()
  expect(await rowOf('beta/secret').count()).toBe(0)
  expect(await rowOf('Default').count()).toBe(0)
  await page.getByText('editor', { exact: true }).filter({ visible: true }).waitFor()
  // Nothing of what proves the sign-in is within reach of a script.
  expect(await page.evaluate('document.cookie')).toBe('')
  expect(traffic.failed).toEqual([])
})

test('an administrator sees everybody’s', async () => {
  await signIn('admin', '/#/experiments')
  for (const name of ['alpha/one', 'beta/secret', 'Default']) await rowOf(name).waitFor()
})

test('an artifact opens', async () => {
  const traffic = watchTraffic(page)
  await signIn('reader', `/#/experiments/${seeded.experimentId}/runs/${seeded.runId}/artifacts/note.txt`)
  await page.getByText('text of the artifact').waitFor()
  expect(traffic.failed).toEqual([])
})

test('field report 101: an HTML artifact is shown, and its scripts do not run with our origin', async () => {
  const asked: string[] = []
  const answered: string[] = []
  page.on('request', (request) => asked.push(request.url()))
  page.on('response', (response) => answered.push(response.url()))
  const reports: string[] = []
  page.on('console', (message) => {
    if (/Content Security Policy/.test(message.text())) reports.push(message.text())
  })
  const stolen = (urls: readonly string[]) => urls.filter((each) => each.endsWith('?stolen')).length
  await signIn('reader', `/#/experiments/${seeded.experimentId}/runs/${seeded.runId}/artifacts/report.html`)
  await page.frameLocator('iframe').getByRole('heading', { name: 'a report' }).waitFor()
  const preview = page.frames().find((frame) => frame.url().startsWith('blob:'))
  // MLflow shows it in a sandboxed frame: what ran there would be of no origin. By the policy of the page nothing does.
  expect(await preview?.evaluate('self.origin')).toBe('null')
  await expect.poll(() => reports.join(), { timeout: 10_000 }).toMatch(/inline script/)
  const download = page.waitForEvent('download')
  await page.goto(`${url}/get-artifact?path=report.html&run_uuid=${seeded.runId}`).catch(() => undefined)
  expect((await download).suggestedFilename()).toBe('report.html')
  expect([stolen(asked), stolen(answered)]).toEqual([0, 0])
})

test('field report 67: a session that ends while a page is open is begun again, once, in the same place', async () => {
  const runs = `/#/experiments/${seeded.experimentId}/runs`
  await signIn('editor', runs)
  const run = page.getByRole('link', { name: 'seen-run', exact: true })
  await run.waitFor()
  // The gateway's session is gone, the provider still knows the browser.
  await context.clearCookies({ name: /^gateway_/ })
  const callbacks: string[] = []
  page.on('response', (response) => {
    if (response.url().includes('/auth/callback/')) callbacks.push(response.url())
  })
  await run.click()
  await page.waitForURL((at) =>
    at.hash.startsWith(`#/experiments/${seeded.experimentId}/runs/${seeded.runId}`),
  )
  await page.getByText('About this run').waitFor()
  expect(callbacks).toHaveLength(1)
  expect(Object.keys(Object.fromEntries((await context.cookies()).map(({ name }) => [name, 1])))).toContain(
    'gateway_token',
  )
})

describe('signing out', () => {
  const signOut = async () => {
    await page.goto(`${url}/auth/logout`)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('button', { name: 'Yes, sign me out' }).click()
    await page.getByText('You are signed out').waitFor()
  }

  test('field report 72: the back button shows nothing, and the next sign-in asks', async () => {
    await signIn('editor', '/#/experiments')
    await rowOf('alpha/one').waitFor()
    await signOut()
    for (let step = 0; step < 4; step++) {
      await page.goBack({ waitUntil: 'networkidle' }).catch(() => undefined)
      expect(await page.getByText('alpha/one').count()).toBe(0)
    }
    await page.goto(`${url}/#/experiments`)
    await page.getByLabel('Name').waitFor()
    expect(new URL(page.url()).origin).toBe(deployment.issuer.url)
  })

  test('a page that was left open shows nothing new', async () => {
    await signIn('editor', '/#/experiments')
    await rowOf('alpha/one').waitFor()
    const other = await context.newPage()
    await other.goto(`${url}/auth/logout`)
    await other.getByRole('button', { name: 'Sign out' }).click()
    const status = await page.evaluate(async () => {
      return (await fetch('ajax-api/2.0/mlflow/experiments/search?max_results=5')).status
    })
    expect(status).toBe(401)
  })

  test('somebody else who signs in next sees their own', async () => {
    await signIn('editor', '/#/experiments')
    await rowOf('alpha/one').waitFor()
    await signOut()
    await signIn('outsider', '/#/experiments')
    await page.getByText('outsider', { exact: true }).filter({ visible: true }).waitFor()
    expect(await page.getByText('alpha/one').count()).toBe(0)
  })
})

describe('where signing in leads', () => {
  test('field report 72: a deep link survives, fragment and all', async () => {
    const link = `/#/experiments/${seeded.experimentId}/runs`
    await signIn('reader', link)
    await page.getByText('seen-run').first().waitFor()
    expect(page.url()).toContain(link)
  })

  test('field report 74: never off the site', async () => {
    const left: string[] = []
    page.on('request', (request) => {
      const { origin } = new URL(request.url())
      if (![url, deployment.issuer.url].includes(origin) && origin !== 'null') left.push(request.url())
    })
    await signIn('outsider')
    const ended: string[] = []
    for (const target of OFF_SITE) {
      for (const name of ['return_to', 'next']) {
        // Signed in at the provider already, so the way goes there and back by itself.
        await page.goto(`${url}/auth/login?${name}=${target}`, { waitUntil: 'commit' })
        await page.waitForURL((at) => at.origin === url && !at.pathname.startsWith('/auth/'), {
          waitUntil: 'commit',
        })
        const { origin } = new URL(page.url())
        if (origin !== url) ended.push(`${name}=${target} → ${page.url()}`)
      }
    }
    expect(ended).toEqual([])
    expect(left).toEqual([])
  })
})

/** As they stand in the address bar. */
const OFF_SITE = [
  '//evil.example',
  '/\\evil.example',
  '\\/\\/evil.example',
  '/%09/evil.example',
  '/%5cevil.example',
  '/%5C%2Fevil.example',
  'https:evil.example',
  'https://evil.example/',
  '/..//evil.example',
  '/x%23//evil.example',
  'javascript:alert(1)',
  'http://127.0.0.1@evil.example',
  '%20//evil.example',
  '/%00//evil.example',
]

test('field report 18: for somebody without any right the UI loads, lists are empty and nothing fails', async () => {
  const traffic = watchTraffic(page)
  await signIn('outsider')
  for (const fragment of ['/', '/experiments', '/models', '/prompts']) {
    await page.goto('about:blank')
    await page.goto(`${url}/#${fragment}`)
    await page.getByText('outsider', { exact: true }).filter({ visible: true }).waitFor()
    await traffic.settled()
    expect(await page.getByText(/alpha\/one|beta\/secret|Permission denied/).count()).toBe(0)
  }
  expect(traffic.failed).toEqual([])
  expect(traffic.errors).toEqual([])
})

describe('field report 28: what one may not see', () => {
  it.each([
    ['an experiment', (id: string) => `/#/experiments/${id}`],
    ['its runs', (id: string) => `/#/experiments/${id}/runs`],
    ['a run', (id: string, run: string) => `/#/experiments/${id}/runs/${run}`],
    [
      'a comparison',
      (id: string, run: string) =>
        `/#/compare-runs?runs=${encodeURIComponent(`["${run}"]`)}&experiments=${encodeURIComponent(`["${id}"]`)}`,
    ],
  ])('%s by its address', async (_what, path) => {
    const traffic = watchTraffic(page)
    await signIn('outsider', path(seeded.experimentId, seeded.runId))
    await page.getByText('outsider', { exact: true }).filter({ visible: true }).waitFor()
    await traffic.settled()
    expect(await page.getByText(/alpha\/one|seen-run/).count()).toBe(0)
  })
})

test('a tab that was asleep when the session ended signs in again and keeps its place', async () => {
  await signIn('editor', `/#/experiments/${seeded.experimentId}/runs`)
  await page.getByText('seen-run').first().waitFor()
  await context.clearCookies({ domain: '127.0.0.1' })
  await page.reload()
  await page.getByLabel('Name').waitFor()
  await typeName(page, url, 'editor')
  await page.getByText('seen-run').first().waitFor()
  expect(page.url()).toContain(`/#/experiments/${seeded.experimentId}/runs`)
})

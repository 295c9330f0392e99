import type { Browser, BrowserContext, Locator, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { launchChromium, openSignedIn, watchTraffic } from '../support/chromium.ts'
import { ACCOUNTS, type Deployment, startDeployment } from '../support/deployment.ts'

let deployment: Deployment
let chromium: Browser
let context: BrowserContext
let page: Page
let url: string

beforeAll(async () => {
  ;[deployment, chromium] = await Promise.all([
    startDeployment({ env: { AUDIT_STDOUT: 'false' } }),
    launchChromium(),
  ])
  url = deployment.gateway.url
  for (const name of ACCOUNTS) await deployment.signIn(name)
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

/** A request of somebody's script. */
async function call(token: string, path: string, body?: unknown): Promise<Response> {
  return fetch(`${url}/api/2.0/mlflow/${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
}

const dialog = () => page.getByRole('dialog')

/** Opens one of MLflow's lists to choose from and takes an entry. */
async function choose(list: Locator, entry: string): Promise<void> {
  await list.click()
  await page.getByRole('option', { name: entry, exact: true }).click()
}

/** A page of MLflow's interface that is not just a part of the one that is open. */
async function open(path: string): Promise<void> {
  await page.goto(`${url}/#${path}`)
  await page.reload()
}

test('a role is made, given a permission and a holder, whose next request is allowed within a second', async () => {
  const [admin, editor] = [await deployment.createToken('admin'), await deployment.createToken('editor')]
  const made = await call(admin, 'experiments/create', { name: 'beta/theirs' })
  const { experiment_id: id } = (await made.json()) as { experiment_id: string }
  const read = () => call(editor, `experiments/get?experiment_id=${id}`)
  const write = () =>
    call(editor, 'experiments/set-experiment-tag', { experiment_id: id, key: 'k', value: 'v' })
  expect([(await read()).status, (await write()).status]).toEqual([403, 403])

  const traffic = watchTraffic(page)
  await openSignedIn(page, { gatewayUrl: url, name: 'admin', path: '/#/admin' })
  await page.getByRole('tab', { name: 'Roles' }).click()
  await page.getByRole('button', { name: 'Create Role' }).click()
  await page.getByPlaceholder('Enter role name').fill('crew')
  await page.getByPlaceholder('Enter description (optional)').fill('of the ship')
  await dialog().getByRole('button', { name: 'Create role', exact: true }).click()

  await page.getByRole('link', { name: 'crew', exact: true }).click()
  await page.getByRole('button', { name: 'Edit role' }).click()
  await dialog().getByText('Specific experiment').click()
  await choose(dialog().getByRole('combobox', { name: /^Experiment/ }), `beta/theirs (${id})`)
  await choose(dialog().locator('#admin-role-permission-form-level'), 'EDIT')
  await dialog().getByRole('button', { name: 'Add', exact: true }).click()
  const users = dialog().getByRole('combobox', { name: /^Users/ })
  await choose(users, 'editor')
  await users.click()
  await dialog().getByRole('button', { name: 'Review changes' }).click()
  await dialog().getByText(`experiment:${id} → EDIT`).waitFor()
  const done = ['/roles/permissions/add', '/roles/assign'].map((path) =>
    page.waitForResponse((response) => response.url().endsWith(path)),
  )
  await dialog().getByRole('button', { name: 'Apply changes' }).click()
  expect((await Promise.all(done)).map((response) => response.status())).toEqual([200, 200])
  const started = performance.now()
  expect((await read()).status).toBe(200)
  expect(performance.now() - started).toBeLessThan(1000)
  expect((await write()).status).toBe(200)
  await dialog().waitFor({ state: 'detached' })
  await page.getByRole('main').getByText('EDIT', { exact: true }).waitFor()
  expect(traffic.failed).toEqual([])

  await open('/admin?tab=roles')
  await page.getByRole('checkbox', { name: /crew/ }).check({ force: true })
  await page
    .getByRole('main')
    .getByRole('button', { name: /^Delete/ })
    .click()
  const deleted = page.waitForResponse((response) => response.url().endsWith('/roles/delete'))
  await dialog()
    .getByRole('button', { name: /^Delete/ })
    .click()
  expect((await deleted).status()).toBe(200)
  expect([(await read()).status, (await write()).status]).toEqual([403, 403])
})

test('somebody is added before they first sign in', async () => {
  await openSignedIn(page, { gatewayUrl: url, name: 'admin', path: '/#/admin' })
  await page.getByRole('button', { name: 'Create User' }).click()
  await page.getByPlaceholder('Enter username').fill('newcomer')
  await page.getByPlaceholder('Enter password').fill('of no use here')
  await dialog().getByRole('button', { name: 'Create user', exact: true }).click()
  await page.getByRole('link', { name: 'newcomer', exact: true }).click()
  await page.getByText('This user has not been assigned to any roles').waitFor()
})

test('the editor sees the own roles and permissions, and of the others just the names', async () => {
  const traffic = watchTraffic(page)
  await openSignedIn(page, { gatewayUrl: url, name: 'editor', path: '/#/account' })
  await page.getByText('Logged in as').waitFor()
  await page.getByText('alpha-editor', { exact: true }).waitFor()
  await page.getByRole('tab', { name: 'Permissions' }).click()
  await page.getByText('experiment:name:alpha/*', { exact: true }).waitFor()
  await open('/admin')
  await page.getByRole('link', { name: 'reader', exact: true }).waitFor()
  await page.getByText('alpha-editor', { exact: true }).waitFor()
  expect(await page.getByText('alpha-reader').count()).toBe(0)
  expect(await page.getByRole('button', { name: 'Create User' }).count()).toBe(0)
  expect(traffic.failed).toEqual([])
})

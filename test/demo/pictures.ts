/**
 * Takes the pictures of the README from a running demo: `node test/demo/pictures.ts http://127.0.0.1:8080`
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { launchChromium, openSignedIn } from '../support/chromium.ts'

const IMAGES = fileURLToPath(new URL('../../docs/images/', import.meta.url))
const VIEWPORT = { width: 1200, height: 640 }

const [gatewayUrl = 'http://127.0.0.1:8080'] = process.argv.slice(2)

/** MLflow's UI recommends things to newcomers; not here. */
async function tidy(page: Page): Promise<void> {
  for (const name of ['Close', 'Dismiss', 'Got it']) {
    for (const button of await page.getByRole('button', { name, exact: true }).all()) {
      await button.click({ timeout: 500 }).catch(() => undefined)
    }
  }
  await page.mouse.move(0, 0)
  await page.waitForTimeout(500)
}

async function openExperiments(page: Page, name: 'editor' | 'admin'): Promise<void> {
  await openSignedIn(page, { gatewayUrl, name, path: '/#/experiments' })
  await page.getByRole('link', { name: 'alpha/churn', exact: true }).waitFor()
  await tidy(page)
  await page.screenshot({ path: join(IMAGES, `experiments-${name}.png`) })
}

async function openArtifact(page: Page): Promise<void> {
  const answer = await page.request.post(`${gatewayUrl}/ajax-api/2.0/mlflow/runs/search`, {
    headers: { origin: gatewayUrl },
    data: { experiment_ids: ['1'], max_results: 1 },
  })
  const { run_id: runId } = (await answer.json()).runs[0].info
  await page.goto(`${gatewayUrl}/#/experiments/1/runs/${runId}/artifacts/plots/loss.png`)
  await page.getByText('loss.png').first().waitFor()
  await page.waitForTimeout(1500)
  await tidy(page)
  await page.screenshot({ path: join(IMAGES, 'artifact-editor.png') })
}

async function openTokens(page: Page): Promise<void> {
  await page.goto(`${gatewayUrl}/auth/tokens`)
  await page.screenshot({ path: join(IMAGES, 'tokens.png') })
}

/** The page goes on by itself where there is one provider, unless it cannot run its script. */
async function openSignIn(browser: Browser): Promise<void> {
  const page = await browser.newPage({ viewport: { ...VIEWPORT, height: 320 }, javaScriptEnabled: false })
  await page.goto(`${gatewayUrl}/auth/login`)
  await page.screenshot({ path: join(IMAGES, 'sign-in.png') })
}

mkdirSync(IMAGES, { recursive: true })
const browser = await launchChromium()
try {
  const editor = await browser.newPage({ viewport: VIEWPORT })
  await openExperiments(editor, 'editor')
  await openArtifact(editor)
  await openTokens(editor)
  await openExperiments(await browser.newPage({ viewport: VIEWPORT }), 'admin')
  await openSignIn(browser)
} finally {
  await browser.close()
}

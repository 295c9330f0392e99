import { existsSync } from 'node:fs'
import { type Browser, chromium, type Page, type Request } from 'playwright-core'
import type { AccountName } from './issuer.ts'

const PROGRAMS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/**
 * The system's Chromium, without a window and without its own errands on the network.
 *
 * @throws {Error} if there is none, naming what to install.
 */
export async function launchChromium(): Promise<Browser> {
  const executablePath = PROGRAMS.find((program) => existsSync(program))
  if (executablePath === undefined) {
    throw new Error('Chromium is missing. Install it, on Debian or Ubuntu: apt-get install chromium')
  }
  return chromium.launch({
    executablePath,
    args: [
      // Continuous integration runs as root, where the sandbox cannot be set up.
      ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
    ],
  })
}

/** Types the name into the provider's page, which the browser is at, and waits until the gateway has it back. */
export async function typeName(page: Page, gatewayUrl: string, name: AccountName): Promise<void> {
  await page.getByLabel('Name').fill(name)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await page.waitForURL((url) => url.origin === gatewayUrl && !url.pathname.startsWith('/auth/'))
}

/** Opens a page of the gateway as somebody who has to sign in first, and signs in. */
export async function openSignedIn(
  page: Page,
  { gatewayUrl, name, path = '/' }: { gatewayUrl: string; name: AccountName; path?: string },
): Promise<void> {
  await page.goto(gatewayUrl + path)
  await page.getByLabel('Name').waitFor()
  await typeName(page, gatewayUrl, name)
}

export type Traffic = {
  /** URLs, in order. */
  readonly asked: string[]
  /** `403 POST /graphql` for every answer of 400 and above. */
  readonly failed: string[]
  /** What was written to the console as an error, or thrown and caught by nobody. */
  readonly errors: string[]
  /** Resolves once nothing was asked for and nothing was under way for three quarters of a second. */
  readonly settled: () => Promise<void>
}

/** Records what a page does on the network from now on. */
export function watchTraffic(page: Page): Traffic {
  const traffic = { asked: [] as string[], failed: [] as string[], errors: [] as string[] }
  const underWay = new Set<Request>()
  let changedAt = Date.now()
  const note = (change: () => void) => {
    change()
    changedAt = Date.now()
  }
  page.on('request', (request) => {
    traffic.asked.push(request.url())
    // Blobs and data URLs never reach the network; of a worker's script the page never hears that it has come.
    if (request.url().startsWith('http') && !request.url().endsWith('.worker.js'))
      note(() => underWay.add(request))
  })
  page.on('requestfinished', (request) => note(() => underWay.delete(request)))
  page.on('requestfailed', (request) => note(() => underWay.delete(request)))
  page.on('response', (response) => {
    if (response.status() < 400) return
    const { pathname } = new URL(response.url())
    traffic.failed.push(`${response.status()} ${response.request().method()} ${pathname}`)
  })
  page.on('console', (message) => {
    if (message.type() === 'error') traffic.errors.push(message.text())
  })
  page.on('pageerror', (fault) => traffic.errors.push(String(fault)))
  const settled = async () => {
    const deadline = Date.now() + 30_000
    while (underWay.size > 0 || Date.now() - changedAt < 750) {
      if (Date.now() > deadline)
        throw new Error(`still under way: ${[...underWay].map((each) => each.url())}`)
      await page.waitForTimeout(50)
    }
  }
  return { ...traffic, settled }
}

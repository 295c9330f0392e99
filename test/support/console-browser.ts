import { createRequire } from 'node:module'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import type { TestGateway } from './test-gateway.ts'
import type { MemberName } from './test-members.ts'

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

export type Screen = { readonly width: number; readonly colorScheme: 'light' | 'dark' }

const DESK: Screen = { width: 1280, colorScheme: 'light' }

export const SCREENS: readonly Screen[] = [390, 1280, 1920].flatMap((width) =>
  (['light', 'dark'] as const).map((colorScheme) => ({ width, colorScheme })),
)

/** Screens that pages are looked at on by axe. */
export const AXE_SCREENS: readonly Screen[] = [
  { width: 390, colorScheme: 'dark' },
  { width: 1280, colorScheme: 'light' },
]

export type OpenedPage = {
  readonly context: BrowserContext
  readonly page: Page
  /** What its pages complained about so far. */
  readonly complaints: readonly string[]
}

/** A browser window with a member of the gateway signed in. */
export async function openAs(
  browser: Browser,
  gateway: TestGateway,
  { name, screen = DESK, bypassCSP = false }: { name: MemberName; screen?: Screen; bypassCSP?: boolean },
): Promise<OpenedPage> {
  const { width, colorScheme } = screen
  const context = await browser.newContext({ colorScheme, bypassCSP, viewport: { width, height: 800 } })
  const cookies = gateway.members[name].cookie.split('; ').map((pair) => {
    const at = pair.indexOf('=')
    return { name: pair.slice(0, at), value: pair.slice(at + 1), url: gateway.url }
  })
  await context.addCookies(cookies)
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  page.on('pageerror', (fault) => complaints.push(String(fault)))
  return { context, page, complaints }
}

/** What the page does not meet of WCAG 2.2 AA. Its own policy allows no such script, so it has to be passed by. */
export async function violations(page: Page): Promise<readonly string[]> {
  await page.addScriptTag({ path: AXE })
  const found: { id: string; nodes: { target: unknown }[] }[] = await page.evaluate(
    `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }).then((result) => result.violations)`,
  )
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => String(target)).join(', ')}`)
}

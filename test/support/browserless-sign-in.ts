import { request } from 'node:http'
import { request as requestByTls } from 'node:https'
import { type Cookie, cookieHeader, keep } from './cookie-jar.ts'

/** A response as far as tests look at it. Header names in lower case. */
export type BrowserResponse = {
  readonly url: string
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly setCookies: readonly string[]
  readonly body: string
}

export type BrowserRequest = {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly form?: Readonly<Record<string, string>>
}

/** What a browser does, less the page: it keeps cookies by host and path, and follows redirects when told to. */
export type Browser = {
  /** One request, no redirects followed. Sends the cookies that belong there, and keeps those that come back. */
  send(url: string, options?: BrowserRequest): Promise<BrowserResponse>
  /**
   * A top-level navigation: follows redirects until a page comes, or until `stop` says of a redirect's target that it
   * is not to be followed; then the redirect itself is returned.
   */
  navigate(
    url: string,
    options?: BrowserRequest & { stop?: (target: URL) => boolean },
  ): Promise<BrowserResponse>
  /** Name → value, for a host or for all. */
  cookies(host?: string): Readonly<Record<string, string>>
  /** As a `Cookie` header, for requests made otherwise. */
  cookieHeader(url: string): string
  setCookie(url: string, line: string): void
}

export type BrowserOptions = {
  /**
   * Where requests really go: what stands before a gateway with a public name. Default: where the URL says.
   * @returns The URL to connect to; the `Host` header stays the public one.
   */
  readonly via?: (url: URL) => URL
  /** Who vouches for servers that are asked by https, PEM. */
  readonly ca?: string
  /** Sends `Secure` cookies to loopback by plain http too, as Chromium and Firefox do. */
  readonly trustsLoopback?: boolean
}

const NAVIGATION = {
  accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
  'sec-fetch-dest': 'document',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-site': 'none',
}

export function createBrowser(browser: BrowserOptions = {}): Browser {
  const { via = (url) => url, ca, trustsLoopback = false } = browser
  const jar: Cookie[] = []
  const isSafe = (url: URL) =>
    url.protocol === 'https:' || (trustsLoopback && ['127.0.0.1', 'localhost'].includes(url.hostname))
  const send = async (url: string, options: BrowserRequest = {}): Promise<BrowserResponse> => {
    const target = new URL(url)
    const cookie = cookieHeader(jar, target, isSafe)
    const response = await exchange(target, { to: via(target), cookie, ca }, options)
    for (const line of response.setCookies) keep(jar, target, line)
    return response
  }
  return {
    send,
    async navigate(url, { stop = () => false, ...options } = {}) {
      let response = await send(url, { ...options, headers: { ...NAVIGATION, ...options.headers } })
      for (let hops = 0; response.status >= 300 && response.status < 400; hops += 1) {
        if (hops > 20) throw new Error(`too many redirects, last to ${response.url}`)
        const target = new URL(String(response.headers['location']), response.url)
        if (stop(target)) return response
        response = await send(target.href, { headers: { ...NAVIGATION, ...options.headers } })
      }
      return response
    },
    cookies: (host) =>
      Object.fromEntries(
        jar
          .filter((cookie) => host === undefined || cookie.host === host)
          .map(({ name, value }) => [name, value]),
      ),
    cookieHeader: (url) => cookieHeader(jar, new URL(url), isSafe),
    setCookie: (url, line) => keep(jar, new URL(url), line),
  }
}

export type SignInTarget = {
  /** The gateway's public URL. */
  readonly publicUrl: string
  readonly provider?: string
  /** Asked for before the sign-in. */
  readonly returnTo?: string
}

/**
 * Signs in through the real pages of the provider, whose only field is the name.
 *
 * @returns The redirect to where the sign-in leads, not followed. The browser then holds the session.
 */
export async function signInAs(
  browser: Browser,
  target: SignInTarget,
  name: string,
): Promise<BrowserResponse> {
  const query = new URLSearchParams({
    provider: target.provider ?? 'oidc',
    ...(target.returnTo === undefined ? {} : { return_to: target.returnTo }),
  })
  const stop = leadsTo(target.publicUrl)
  const page = await browser.navigate(`${trimmed(target.publicUrl)}/auth/login?${query}`, { stop })
  // A provider that still knows the browser shows no page; a gateway that refuses shows its own.
  return page.url.startsWith(trimmed(target.publicUrl)) ? page : submitName(browser, target, page, name)
}

/** Fills in the provider's page. @param page What {@link Browser.navigate} stopped at. */
export async function submitName(
  browser: Browser,
  { publicUrl }: Pick<SignInTarget, 'publicUrl'>,
  page: BrowserResponse,
  name: string,
): Promise<BrowserResponse> {
  const action = /<form method="post" action="([^"]+)"/.exec(page.body)?.[1]
  if (action === undefined)
    throw new Error(`not the provider's sign-in page: ${page.status} ${page.url}\n${page.body}`)
  return browser.navigate(new URL(action, page.url).href, {
    method: 'POST',
    form: { login: name },
    stop: leadsTo(publicUrl),
  })
}

/** Where a sign-in ends: at the gateway, once the callback has done its work. */
function leadsTo(publicUrl: string): (url: URL) => boolean {
  return (url) => url.href.startsWith(trimmed(publicUrl)) && !url.pathname.includes('/auth/callback/')
}

type Way = { readonly to: URL; readonly cookie: string; readonly ca: string | undefined }

function exchange(url: URL, { to, cookie, ca }: Way, options: BrowserRequest): Promise<BrowserResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<BrowserResponse>()
  const body = options.form === undefined ? undefined : new URLSearchParams(options.form).toString()
  const headers = {
    host: url.host,
    ...(cookie === '' ? {} : { cookie }),
    ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
    ...options.headers,
  }
  const send = to.protocol === 'https:' ? requestByTls : request
  const method = options.method ?? 'GET'
  const outgoing = send(to, { method, headers, agent: false, ...(ca && { ca }) }, (incoming) => {
    let text = ''
    incoming.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
    })
    incoming.on('end', () =>
      resolve({
        url: url.href,
        status: incoming.statusCode ?? 0,
        headers: incoming.headers,
        setCookies: incoming.headers['set-cookie'] ?? [],
        body: text,
      }),
    )
  })
  outgoing.on('error', reject)
  outgoing.end(body)
  return promise
}

function trimmed(publicUrl: string): string {
  return publicUrl.replace(/\/$/, '')
}

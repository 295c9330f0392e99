import { programLog } from '../../../src/audit/program-log.ts'
import { type Browser, createBrowser, signInAs } from '../browserless-sign-in.ts'
import { type AccountName, type Issuer, startIssuer } from '../issuer.ts'
import { SECRET, startTestGateway, type TestGateway } from '../test-gateway.ts'
import { MARK, type Material, makeMaterials } from './materials.ts'

/** Somebody with an account at the provider, who has signed in. */
export type Guest = {
  readonly userId: string
  /** Known to the provider, so that a sign-in asks for nothing more; without a session of ours. */
  readonly atProvider: Browser
  /** Names and values of the cookies of a session. */
  cookies: Readonly<Record<string, string>>
}

/** A sign-in under way: what the browser would send to the callback next. */
export type Flow = {
  readonly userId: string
  readonly parameters: URLSearchParams
  readonly cookie: readonly [name: string, value: string]
}

/** A gateway and a provider, with everything that one could have got hold of. */
export type World = {
  readonly gateway: TestGateway
  readonly issuer: Issuer
  readonly guests: readonly Guest[]
  /** What one may put after `Bearer`. */
  readonly tokens: readonly Material[]
  /** User ids of those who may read the experiment of that id. */
  readonly readers: Readonly<Record<string, ReadonlySet<string>>>
  /**
   * Begins a sign-in and takes it to where the provider sends the browser back.
   *
   * @param target Of the request that begins it; undefined comes back if it begins none.
   */
  readonly begin: (guest: Guest, target?: string) => Promise<Flow | undefined>
  /** Signs a guest in anew, if their session was ended. */
  readonly restore: (guest: Guest) => Promise<void>
  /** Of no request's answer, log line or record anything may be in it. */
  readonly secrets: () => readonly string[]
  readonly stop: () => Promise<void>
}

const NAMES = ['admin', 'editor', 'reader', 'outsider'] as const satisfies readonly AccountName[]

export async function startWorld(): Promise<World> {
  const issuer = await startIssuer()
  // The names without `guest` are taken, by people of another provider who are not let in here.
  for (const name of NAMES) issuer.setClaims(name, { preferred_username: `guest-${name}` })
  const gateway = await startTestGateway({
    env: {
      ...{
        OIDC_ISSUER: issuer.url,
        OIDC_CLIENT_ID: issuer.clientId,
        OIDC_CLIENT_SECRET: issuer.clientSecret,
      },
      ...{
        ALLOW_HTTP_ISSUER: 'true',
        OIDC_GROUPS_CLAIM: 'groups',
        OIDC_ACCEPT_BEARER: 'true',
        ADMIN_GROUPS: 'mlflow-admins',
      },
      ...{ RATE_LIMIT_PRINCIPAL: '0', RATE_LIMIT_ADDRESS: '0', AUDIT_STORE_MAX_EVENTS: '1000' },
    },
    logger: programLog('trace'),
  })
  issuer.allow(gateway.url)
  const guests: Guest[] = []
  for (const name of NAMES) guests.push(await meet(name, gateway, issuer))
  const [admin = '', editor = '', reader = '', outsider = ''] = guests.map(({ userId }) => userId)
  await gateway.store.roles.mapGroup('oidc', 'alpha-editors', await roleId('alpha-editor', gateway))
  await gateway.store.roles.mapGroup('oidc', 'alpha-readers', await roleId('alpha-reader', gateway))
  const tokens = await makeMaterials(gateway, issuer, { admin, editor, reader, outsider })
  return {
    ...{ gateway, issuer, guests, tokens },
    readers: { '1': new Set([admin, editor, reader]), '2': new Set([admin]) },
    begin: (guest, target) => begin(guest, gateway, target),
    async restore(guest) {
      guest.cookies = await signIn(guest.atProvider, gateway)
    },
    secrets: () => [
      ...[SECRET, issuer.clientSecret, MARK],
      ...tokens
        .map(({ value }) => value.split('.').at(-1) ?? '')
        .filter((signature) => signature.length > 20),
      ...guests.flatMap(({ cookies }) => Object.values(cookies)),
    ],
    async stop() {
      await gateway.stop()
      await issuer.stop()
    },
  }
}

async function meet(name: AccountName, gateway: TestGateway, issuer: Issuer): Promise<Guest> {
  const browser = createBrowser()
  await signInAs(browser, { publicUrl: gateway.url }, name)
  const person = await gateway.store.people.find({ issuer: issuer.url, subject: name })
  if (person === undefined) throw new Error(`${name} did not get in`)
  const cookies = sessionOf(browser)
  for (const key of Object.keys(cookies)) browser.setCookie(gateway.url, `${key}=; Max-Age=0; Path=/`)
  return { userId: person.id, atProvider: browser, cookies }
}

async function roleId(name: string, { store }: TestGateway): Promise<string> {
  const [id] = await store.roles.idsOf(name)
  if (id === undefined) throw new Error(`no role ${name}`)
  return id
}

const sessionOf = (browser: Browser) =>
  Object.fromEntries(
    Object.entries(browser.cookies()).filter(([key]) => /^gateway_(?:session|token)$/.test(key)),
  )

/** @returns The cookies of the new session, which the browser itself forgets. */
async function signIn(browser: Browser, gateway: TestGateway): Promise<Record<string, string>> {
  const flow = await browser.navigate(`${gateway.url}/auth/login?provider=oidc`, {
    stop: (url) => url.origin === gateway.url && !url.pathname.startsWith('/auth/'),
  })
  const cookies = sessionOf(browser)
  if (flow.status !== 302 || Object.keys(cookies).length !== 2) throw new Error(`no sign-in: ${flow.status}`)
  for (const key of Object.keys(cookies)) browser.setCookie(gateway.url, `${key}=; Max-Age=0; Path=/`)
  return cookies
}

async function begin(
  { userId, atProvider }: Guest,
  gateway: TestGateway,
  target = '/auth/login?provider=oidc&return_to=/%23/flow',
): Promise<Flow | undefined> {
  const last = await atProvider.navigate(`${gateway.url}${target}`, {
    stop: (url) => url.pathname.startsWith('/auth/callback/'),
  })
  if (last.status < 300 || last.status >= 400) return undefined
  const parameters = new URL(String(last.headers['location'])).searchParams
  const cookie = Object.entries(atProvider.cookies()).find(([key]) => key.startsWith('gateway_login_'))
  if (cookie === undefined) throw new Error('no transaction')
  atProvider.setCookie(gateway.url, `${cookie[0]}=; Max-Age=0; Path=/`)
  return { userId, parameters, cookie }
}

import { createHmac } from 'node:crypto'
import { exportSPKI } from 'jose'
import { readConfig } from '../../../src/config.ts'
import { createAccessTokens } from '../../../src/identity/access-token.ts'
import { type GatewayTokenOptions, signToken } from '../../../src/identity/gateway-token.ts'
import { createKeyring } from '../../../src/identity/keyring.ts'
import type { Scope } from '../../../src/identity/principal.ts'
import { sessionStoreId } from '../../../src/store/sessions.ts'
import type { AccountName, Issuer } from '../issuer.ts'
import { SECRET, type TestGateway } from '../test-gateway.ts'

/** Something that looks like a token. `owner` is whose it is; nobody's if it is one that must never count. */
export type Material = { readonly name: string; readonly value: string; readonly owner?: string | undefined }

/** Stands in whatever is made up, so that it is found wherever it comes out again. */
export const MARK = 's3cret-mark'

const DAY = 86_400
const now = () => Math.floor(Date.now() / 1000)
const json = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/**
 * Good tokens, and such as were good, are nearly good, or pretend to be.
 *
 * @param people User ids by the name at the provider.
 */
export async function makeMaterials(
  gateway: TestGateway,
  issuer: Issuer,
  people: Readonly<Record<AccountName, string>>,
): Promise<readonly Material[]> {
  const secret = readConfig(gateway.env).gatewaySecret
  const keyring = await createKeyring({ store: gateway.store, secret, now, tokenMaxTtl: DAY })
  const own = { keyring, issuer: gateway.url, now }
  const tokens = createAccessTokens({ ...own, store: gateway.store, maxTtl: DAY })
  const make = async (userId: string, ...scope: readonly Scope[]) =>
    (await tokens.create({ userId, name: 'test', scope, ttl: DAY })).token
  const good = Object.entries(people).map(async ([name, owner]) => ({
    ...{ name, owner, value: await make(owner) },
  }))
  const admin = { userId: people.admin, token: await make(people.admin) }
  const revoked = await tokens.create({ userId: people.admin, name: 'gone', scope: [], ttl: DAY })
  await gateway.store.tokens.revoke(revoked.jti)
  const bad = {
    revoked: revoked.token,
    ...(await onceGood(admin, own)),
    ...(await forged(admin, own)),
    ...(await misshapen(admin, own)),
    ...(await ofTheProvider(own, issuer)),
  }
  return [
    ...(await Promise.all(good)),
    { name: 'read-only', owner: people.admin, value: await make(people.admin, 'read') },
    {
      name: 'provider: good',
      owner: people.editor,
      value: await issuer.signJwt({ sub: 'editor', preferred_username: 'guest-editor' }),
    },
    ...Object.entries(bad).map(([name, value]) => ({ name, value })),
  ]
}

type Admin = { readonly userId: string; readonly token: string }

type Bad = Promise<Readonly<Record<string, string>>>

/** Signed by the gateway itself. */
async function onceGood({ userId }: Admin, own: GatewayTokenOptions): Bad {
  const claims = { sub: userId, jti: 'nobody', exp: now() + DAY }
  return {
    'never issued': await signToken('at+jwt', claims, own),
    expired: await signToken('at+jwt', { ...claims, exp: now() - 3600 }, own),
    'without sub': await signToken('at+jwt', { jti: 'x', exp: now() + DAY }, own),
    'of no session': await signToken('session+jwt', { ...claims, sid: sessionStoreId('none') }, own),
  }
}

/** What the admin's token would say. */
function claimsOf({ userId }: Admin, { issuer }: GatewayTokenOptions) {
  const times = { iat: now(), exp: now() + DAY }
  return { iss: issuer, aud: issuer, sub: userId, jti: 'made-up', scope: '', ...times }
}

async function forged(admin: Admin, own: GatewayTokenOptions): Bad {
  const { kid, publicKey } = own.keyring.current()
  const claims = json(claimsOf(admin, own))
  const [head = '', , signature = ''] = admin.token.split('.')
  const hmac = (header: object, key: string) => {
    const input = `${json({ alg: 'HS256', typ: 'at+jwt', kid, ...header })}.${claims}`
    return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`
  }
  return {
    'alg none': `${json({ alg: 'none', typ: 'at+jwt', kid })}.${claims}.`,
    'alg none, signed': `${json({ alg: 'none', typ: 'at+jwt', kid })}.${claims}.${signature}`,
    'alg HS256 and the public key': hmac({}, await exportSPKI(publicKey)),
    'alg HS256 and the secret': hmac({}, SECRET),
    'alg HS256 and no key': hmac({}, ''),
    'kid of a file': hmac({ kid: '../../../dev/null' }, ''),
    'kid of a statement': hmac({ alg: 'ES256', kid: "' or 1=1 --" }, MARK),
    'kid of a prototype': hmac({ alg: 'ES256', kid: '__proto__' }, MARK),
    'kid that is a list': hmac({ alg: 'ES256', kid: [kid] }, MARK),
    crit: hmac({ alg: 'ES256', crit: ['exp'], exp: 1 }, MARK),
    zip: hmac({ alg: 'ES256', zip: 'DEF' }, MARK),
    'other claims under a good signature': `${head}.${claims}.${signature}`,
  }
}

async function misshapen(admin: Admin, own: GatewayTokenOptions): Bad {
  const head = json({ alg: 'ES256', typ: 'at+jwt', kid: own.keyring.current().kid })
  const claims = claimsOf(admin, own)
  const text = (value: string) => Buffer.from(value).toString('base64url')
  return {
    'made up': MARK,
    nested: `${json({ alg: 'ES256', cty: 'JWT' })}.${text(admin.token)}.${MARK}`,
    deep: `${head}.${text('['.repeat(4000))}.${MARK}`,
    'a list for a header': `${json([])}.${json([])}.${MARK}`,
    'a number for a header': `${json(1)}.${json(claims)}.${MARK}`,
    'null for claims': `${head}.${json(null)}.${MARK}`,
    'text for claims': `${head}.${text('not json')}.${MARK}`,
    'a list for iss': `${head}.${json({ ...claims, iss: [own.issuer] })}.${MARK}`,
    'a prototype for iss': `${head}.${json({ ...claims, iss: '__proto__' })}.${MARK}`,
    huge: `${head}.${json({ ...claims, x: 'x'.repeat(9000) })}.${MARK}`,
    'a JWE': `${json({ alg: 'dir', enc: 'A256GCM' })}..${MARK}.${MARK}.${MARK}`,
  }
}

/** Signed by the provider, which signs more than what is meant for the gateway. */
async function ofTheProvider({ keyring, issuer: url }: GatewayTokenOptions, issuer: Issuer): Bad {
  const admin = { sub: 'admin', preferred_username: 'guest-admin', groups: ['mlflow-admins'] }
  const sign = (claims: object, header: object = {}) => issuer.signJwt({ ...admin, ...claims }, { ...header })
  return {
    'provider: of another audience': await sign({ aud: 'somebody-else' }),
    'provider: of another issuer': await sign({ iss: 'https://elsewhere.invalid' }),
    'provider: as the gateway': await sign(
      { iss: url, aud: url },
      { typ: 'at+jwt', kid: keyring.current().kid },
    ),
    'provider: expired': await sign({ iat: now() - 7200, exp: now() - 3600 }),
    'provider: to sign out': await sign({ events: { x: {} } }),
    'provider: of another type': await sign({}, { typ: 'logout+jwt' }),
    'provider: of another key': await sign({}, { kid: 'unknown' }),
    'provider: a list for sub': await sign({ sub: ['admin'] }),
    'provider: an object for exp': await sign({ exp: now() + DAY, aud: [{}] }),
  }
}

import { randomUUID } from 'node:crypto'
import { type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import type { EndedWithKeys, KeyRecord, Keys, NewKey } from '../store/keys.ts'
import { createSealer, type Sealer } from './sealing.ts'

/** The only algorithm the gateway signs with. */
export const SIGNING_ALGORITHM = 'ES256'

/**
 * How old a key is before it signs, in seconds: by then every replica has read it from the store and can verify it, so
 * nobody needs to ask the store about a key id that a stranger made up.
 */
const SETTLING_TIME = 2

export type SigningKey = {
  readonly kid: string
  readonly publicKey: CryptoKey
  readonly privateKey: CryptoKey
  readonly publicJwk: JWK
  readonly createdAt: number
  readonly retiredAt: number | undefined
}

export type Keyring = {
  /** The key that signs now. */
  current(): SigningKey
  /** A key that may verify: in use, or retired while tokens it signed may still be valid. No I/O. */
  find(kid: string): SigningKey | undefined
  /** Public parts for `/.well-known/jwks.json` (RFC 7517 §5), in the order they were made. */
  jwks(): { readonly keys: readonly JWK[] }
  /** Makes a new key and retires the others. What they signed stays valid until it expires. @returns The new key's id. */
  rotate(): Promise<string>
  /** Makes a new key in the place of all others. What they signed is worth nothing from then on, here at once. */
  replace(): Promise<Replaced>
  /** Reads the keys again; call it on a change of kind `keys`. */
  reload(): Promise<void>
}

export type Replaced = EndedWithKeys & { readonly kid: string }

export type KeyringOptions = {
  readonly store: { readonly keys: Keys }
  /** `GATEWAY_SECRET`. */
  readonly secret: string
  readonly now: () => number
  /** The longest life of any token signed, in seconds: how long a retired key still verifies. */
  readonly tokenMaxTtl: number
}

/**
 * Opens the signing keys, and makes the first one if there is none. Two replicas that start at once make one each;
 * both are then known to both.
 *
 * @throws {Error} if the keys were sealed under another `GATEWAY_SECRET`.
 */
export async function createKeyring({ store, secret, now, tokenMaxTtl }: KeyringOptions): Promise<Keyring> {
  const sealer = createSealer(secret, 'signing-key')
  let keys: readonly SigningKey[] = []
  const reload = async () => {
    const known = new Map(keys.map((key) => [key.kid, key]))
    const rows = await store.keys.list()
    const opened = await Promise.all(rows.map((row) => openKey(row, sealer, known.get(row.kid))))
    keys = opened.sort((a, b) => a.createdAt - b.createdAt || a.kid.localeCompare(b.kid))
  }
  const verifies = (key: SigningKey) => key.retiredAt === undefined || key.retiredAt + tokenMaxTtl > now()
  await reload()
  if (!keys.some((key) => key.retiredAt === undefined)) {
    await store.keys.add(await makeKey(sealer, now()))
    await reload()
  }
  return {
    current: () => chooseCurrent(keys, now()),
    find: (kid) => keys.find((key) => key.kid === kid && verifies(key)),
    jwks: () => ({ keys: keys.filter(verifies).map((key) => key.publicJwk) }),
    async rotate() {
      const before = await store.keys.list()
      const row = await makeKey(sealer, now())
      await store.keys.add(row)
      for (const { kid, retiredAt } of before) if (retiredAt === undefined) await store.keys.retire(kid)
      await reload()
      return row.kid
    },
    async replace() {
      const row = await makeKey(sealer, now())
      const ended = await store.keys.replaceAll(row)
      await reload()
      return { ...ended, kid: row.kid }
    },
    reload,
  }
}

/** The newest key every replica knows; while there is none such, the key that signed until now. */
function chooseCurrent(keys: readonly SigningKey[], now: number): SigningKey {
  const settled = (key: SigningKey) => key.createdAt + SETTLING_TIME <= now
  const key =
    keys.findLast((candidate) => settled(candidate) && candidate.retiredAt === undefined) ??
    keys.findLast(settled) ??
    keys.at(0)
  if (key === undefined) throw new Error('There is no signing key in the store')
  return key
}

async function makeKey(sealer: Sealer, now: number): Promise<NewKey> {
  const kid = randomUUID()
  const { publicKey, privateKey } = await generateKeyPair(SIGNING_ALGORITHM, { extractable: true })
  const publicJwk = { ...(await exportJWK(publicKey)), kid, alg: SIGNING_ALGORITHM, use: 'sig' }
  return {
    kid,
    alg: SIGNING_ALGORITHM,
    publicJwk,
    privateSealed: sealer.seal(JSON.stringify(await exportJWK(privateKey)), kid),
    createdAt: now,
  }
}

/** @throws {Error} if the signing keys were sealed under another `GATEWAY_SECRET`. Without any there is nothing to tell by. */
export async function assertSecret(store: KeyringOptions['store'], secret: string): Promise<void> {
  const sealer = createSealer(secret, 'signing-key')
  for (const row of await store.keys.list()) openPrivate(row, sealer)
}

/** @throws {Error} */
function openPrivate({ privateSealed, kid }: KeyRecord, sealer: Sealer): string {
  const privateJwk = sealer.open(privateSealed, kid)
  if (privateJwk !== undefined) return privateJwk
  throw new Error('The signing keys in the store were sealed with another GATEWAY_SECRET')
}

async function openKey(row: KeyRecord, sealer: Sealer, known: SigningKey | undefined): Promise<SigningKey> {
  if (known !== undefined) return { ...known, retiredAt: row.retiredAt }
  const privateJwk = openPrivate(row, sealer)
  return {
    kid: row.kid,
    publicJwk: row.publicJwk,
    publicKey: await importKey(row.publicJwk),
    privateKey: await importKey(JSON.parse(privateJwk)),
    createdAt: row.createdAt,
    retiredAt: row.retiredAt,
  }
}

async function importKey(jwk: JWK): Promise<CryptoKey> {
  const key = await importJWK(jwk, SIGNING_ALGORITHM)
  if (key instanceof Uint8Array) throw new Error('A signing key in the store is not an asymmetric key')
  return key
}

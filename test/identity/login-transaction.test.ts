import { describe, expect, it } from 'vitest'
import { createLoginTransactions } from '../../src/identity/login-transaction.ts'

const clock = { now: 1_800_000_000 }
const options = { secret: 's'.repeat(32), now: () => clock.now, prefix: '__Host-gateway_login_' }
const transactions = createLoginTransactions(options)

async function begin(provider = 'oidc', returnTo = '/') {
  const transaction = transactions.begin(provider, returnTo)
  const { name, value } = await transactions.seal(transaction)
  return { transaction, cookies: { [name]: value }, name, value }
}

describe('a sign-in under way', () => {
  it('is found again by state and provider, on any replica', async () => {
    const { transaction, cookies } = await begin('oidc', '/#/experiments/1')
    const replica = createLoginTransactions(options)
    expect(await replica.open(cookies, { provider: 'oidc', state: transaction.state })).toEqual(transaction)
  })

  it('shows nothing of itself', async () => {
    const { transaction, value } = await begin()
    for (const secret of [transaction.codeVerifier, transaction.nonce, transaction.state]) {
      expect(value).not.toContain(secret)
      expect(Buffer.from(value, 'base64url').toString('latin1')).not.toContain(secret)
    }
  })

  it('is refused for another provider, another state, another secret, another cookie, and when changed', async () => {
    const { transaction, cookies, name, value } = await begin()
    const { state } = transaction
    const other = await begin()
    expect(await transactions.open(cookies, { provider: 'corp', state })).toBeUndefined()
    expect(
      await transactions.open(cookies, { provider: 'oidc', state: other.transaction.state }),
    ).toBeUndefined()
    expect(await transactions.open({ [name]: other.value }, { provider: 'oidc', state })).toBeUndefined()
    expect(
      await transactions.open({ [name]: `${value.slice(0, -2)}AA` }, { provider: 'oidc', state }),
    ).toBeUndefined()
    for (const other of [
      '',
      value.replace('..', '.. '),
      `${value}=`,
      `${value}\n`,
      ` ${value}`,
      `"${value}"`,
    ])
      expect(await transactions.open({ [name]: other }, { provider: 'oidc', state })).toBeUndefined()
    const elsewhere = createLoginTransactions({ ...options, secret: 't'.repeat(32) })
    expect(await elsewhere.open(cookies, { provider: 'oidc', state })).toBeUndefined()
  })

  it('ends after ten minutes', async () => {
    const { transaction, cookies } = await begin()
    const expected = { provider: 'oidc', state: transaction.state }
    clock.now += 599
    expect(await transactions.open(cookies, expected)).toBeDefined()
    clock.now += 1
    expect(await transactions.open(cookies, expected)).toBeUndefined()
  })
})

describe('bounds for one browser', () => {
  it('lets twelve be under way and drops the oldest', async () => {
    const cookies: Record<string, string> = { other: 'x', gateway_session: 'y' }
    const names: string[] = []
    for (let index = 0; index < 12; index += 1) {
      clock.now += 1
      const each = await begin()
      expect(transactions.surplus(cookies, each.name.length + each.value.length)).toEqual([])
      names.push(each.name)
      Object.assign(cookies, each.cookies)
    }
    const next = await begin()
    expect(transactions.surplus(cookies, next.value.length)).toEqual([names[0]])
  })

  it('keeps them together below what proxies take of one header', async () => {
    const cookies: Record<string, string> = {}
    for (let index = 0; index < 12; index += 1) {
      clock.now += 1
      const each = await begin('oidc', `/#/${'x'.repeat(1500)}`)
      for (const name of transactions.surplus(cookies, each.value.length)) delete cookies[name]
      Object.assign(cookies, each.cookies)
    }
    const header = Object.entries(cookies).map(([name, value]) => `${name}=${value}`)
    expect(header.join('; ').length).toBeLessThan(7000)
    expect(header.length).toBeGreaterThan(1)
  })

  it('leaves cookies of others alone', () => {
    const foreign = Object.fromEntries(
      Array.from({ length: 40 }, (_, index) => [`login_${index}`, 'x'.repeat(500)]),
    )
    expect(transactions.surplus(foreign, 500)).toEqual([])
  })
})

import {
  type Account,
  ADMIN,
  LACKING_ACCOUNTS,
  PLAIN_ACCOUNTS,
  TIER_ACCOUNTS,
  WILDCARD_ACCOUNTS,
} from './accounts.ts'
import { type Case, operations, type Question, questions } from './cases.ts'
import { isOfBoth } from './comparison.ts'
import type { Side } from './seed.ts'

/** Cases with a title, asked in this order. */
export type Part = { readonly title: string; readonly cases: readonly Case[] }

export type Form = { readonly accounts: readonly Account[]; readonly parts: readonly Part[] }

/** Account by account: what somebody was told before counts for what they are told of both sides later. */
function product(accounts: readonly Account[], sides: readonly Side[], asked: readonly Question[]): Case[] {
  return accounts.flatMap((account) => {
    const cases = sides.flatMap((side) => asked.map((question) => ({ question, account, side })))
    return cases.toSorted((a, b) => Number(isOfBoth(a.question)) - Number(isOfBoth(b.question)))
  })
}

/** Families that no sub-resource type is part of. */
const APART: ReadonlySet<string> = new Set([
  ...[
    'assistant',
    'demo',
    'gateway_budget',
    'gateway_catalogue',
    'gateway_model_definition',
    'gateway_proxy',
  ],
  ...['gateway_secret', 'ops', 'ui', 'webhook', 'workspace'],
])

/**
 * Everything: each operation for each level on one's own and another's, under the path for clients and that for the
 * interface; for a level on all there is; for whoever lacks one type of grant, or has one for a sub-resource type.
 */
export function wholeForm(): Form {
  const [api, ajax] = [questions('api'), questions('ajax')]
  const apart = new Set(operations().flatMap((each) => (APART.has(each.resource) ? [each.operation] : [])))
  const inTiers = api.filter(({ operation }) => !apart.has(operation))
  return {
    accounts: [...PLAIN_ACCOUNTS, ...WILDCARD_ACCOUNTS, ...LACKING_ACCOUNTS, ...TIER_ACCOUNTS],
    parts: [
      { title: "one level on one's own", cases: product(PLAIN_ACCOUNTS, ['own'], api) },
      { title: "the same, about another's", cases: product(PLAIN_ACCOUNTS, ['other'], ajax) },
      { title: 'a level on all', cases: product(WILDCARD_ACCOUNTS, ['own', 'other'], api) },
      { title: 'MANAGE, save on one type', cases: product(LACKING_ACCOUNTS, ['own'], ajax) },
      { title: 'a sub-resource type', cases: product(TIER_ACCOUNTS, ['own'], inTiers) },
    ],
  }
}

/** Every operation at every level, about one's own things and about another's. */
export function levelForm(): Form {
  const { parts } = wholeForm()
  return { accounts: PLAIN_ACCOUNTS, parts: parts.slice(0, 2) }
}

/** Each operation once at the levels where most of them turn, and once about another's things. */
export function reducedForm(): Form {
  const [api, ajax] = [questions('api'), questions('ajax')]
  const accounts = PLAIN_ACCOUNTS.filter(({ says }) => ['READ', 'EDIT', 'MANAGE', 'DENY'].includes(says))
  const managers = accounts.filter(({ says }) => says === 'MANAGE')
  return {
    accounts: [...accounts, ADMIN],
    parts: [
      { title: "one level on one's own", cases: product(accounts, ['own'], api) },
      { title: "MANAGE, about another's", cases: product(managers, ['other'], ajax) },
    ],
  }
}

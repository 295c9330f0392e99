import {
  type Account,
  ADMIN,
  LACKING_ACCOUNTS,
  PLAIN_ACCOUNTS,
  TIER_ACCOUNTS,
  WILDCARD_ACCOUNTS,
} from './accounts.ts'
import { type Case, type Question, questions } from './cases.ts'
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

/**
 * Everything: each operation under each of its paths for each level on one's own and another's; and, under one path, for
 * whoever has a level on all there is, lacks one type of grant, or has one for a sub-resource type.
 */
export function wholeForm(): Form {
  const [all, first] = [questions('all'), questions('first')]
  return {
    accounts: [...PLAIN_ACCOUNTS, ...WILDCARD_ACCOUNTS, ...LACKING_ACCOUNTS, ...TIER_ACCOUNTS],
    parts: [
      { title: 'one level on everything', cases: product(PLAIN_ACCOUNTS, ['own', 'other'], all) },
      { title: 'a level on all', cases: product(WILDCARD_ACCOUNTS, ['own', 'other'], first) },
      { title: 'MANAGE, save on one type', cases: product(LACKING_ACCOUNTS, ['own'], first) },
      { title: 'a sub-resource type', cases: product(TIER_ACCOUNTS, ['own'], first) },
    ],
  }
}

/** Each operation once at the levels where most of them turn, and once about another's things. */
export function reducedForm(): Form {
  const first = questions('first')
  const accounts = PLAIN_ACCOUNTS.filter(({ says }) => ['READ', 'EDIT', 'MANAGE', 'DENY'].includes(says))
  const managers = accounts.filter(({ says }) => says === 'MANAGE')
  return {
    accounts: [...accounts, ADMIN],
    parts: [
      { title: 'one level on everything', cases: product(accounts, ['own'], first) },
      { title: "MANAGE, but another's", cases: product(managers, ['other'], first) },
    ],
  }
}

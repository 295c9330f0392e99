import { GatewayError } from '../errors.ts'
import type { AccessTokens } from '../identity/access-token.ts'
import type { TokenRecord, Tokens } from '../store/tokens.ts'
import type { TokenRequest } from './token-request.ts'

/** Tokens one person may have that work at the same time: a script that makes one per run must not fill the store. */
const TOKENS_PER_PERSON = 100

/** What people do with their own access tokens. */
export type OwnTokens = {
  /** Those that still work, newest first. */
  readonly list: (userId: string) => Promise<readonly TokenRecord[]>
  /** @throws {GatewayError} `ERR_INVALID_PARAMETER` if the person has too many. */
  readonly create: (userId: string, wanted: TokenRequest) => ReturnType<AccessTokens['create']>
  /**
   * Ends a token; it is refused from the next request on.
   *
   * @throws {GatewayError} `ERR_NOT_FOUND`, the same for a token of somebody else and for none.
   */
  readonly revoke: (userId: string, jti: string) => Promise<TokenRecord>
}

export type OwnTokensOptions = {
  readonly tokens: Pick<Tokens, 'get' | 'list' | 'revoke'>
  readonly accessTokens: Pick<AccessTokens, 'create'>
  /** Has this process see what was just changed. */
  readonly refresh: () => Promise<void>
  /** Seconds since the epoch. */
  readonly now: () => number
}

export function createOwnTokens({ tokens, accessTokens, refresh, now }: OwnTokensOptions): OwnTokens {
  const list = async (userId: string) => {
    const all = await tokens.list(userId)
    return all.filter((token) => token.revokedAt === undefined && token.expiresAt > now())
  }
  return {
    list,
    create: async (userId, wanted) => {
      if ((await list(userId)).length >= TOKENS_PER_PERSON) {
        const message = `You have ${TOKENS_PER_PERSON} tokens that work; revoke one first`
        throw new GatewayError('ERR_INVALID_PARAMETER', message)
      }
      const made = await accessTokens.create({ userId, ...wanted })
      await refresh()
      return made
    },
    revoke: async (userId, jti) => {
      const found = await tokens.get(jti)
      if (found?.userId !== userId || !(await tokens.revoke(jti))) {
        throw new GatewayError('ERR_NOT_FOUND', 'You have no such token')
      }
      await refresh()
      return found
    },
  }
}

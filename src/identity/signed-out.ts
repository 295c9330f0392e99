import { GatewayError } from '../errors.ts'
import { compositeKey } from '../store/composite-key.ts'
import type { LogoutTokens } from '../store/logout-tokens.ts'
import { LOGOUT_MEMORY, type ProviderLogout } from './logout-token.ts'
import type { SignIn } from './provider.ts'

/**
 * What providers have lately ended. A logout token may come while the sign-in that it is about is on its way: the code is
 * exchanged, and there is no session to end yet. So it leaves a mark before it looks for sessions, and a sign-in looks for
 * marks when its session is there: whichever comes second sees the other.
 */
export type SignedOut = {
  readonly note: (provider: string, logout: ProviderLogout) => Promise<void>
  /** @throws {GatewayError} `ERR_SIGN_IN_FAILED` if the provider has ended it since. */
  readonly assertNot: (signIn: SignIn) => Promise<void>
}

export function createSignedOut(marks: Pick<LogoutTokens, 'remember' | 'rememberedUntil'>): SignedOut {
  return {
    note: async (provider, { subject, sid, usableUntil }) => {
      const mark = sid === undefined ? markOf('sub', provider, subject ?? '') : markOf('sid', provider, sid)
      await marks.remember(mark, usableUntil)
    },
    assertNot: async ({ provider, subject, sid, issuedAt }) => {
      const names = [markOf('sub', provider, subject)]
      if (sid !== undefined) names.push(markOf('sid', provider, sid))
      for (const name of names) {
        const until = await marks.rememberedUntil(name)
        // What the provider said afterwards counts: who comes back is let in.
        if (until === undefined || issuedAt > until - LOGOUT_MEMORY) continue
        throw new GatewayError('ERR_SIGN_IN_FAILED', 'You were signed out meanwhile; sign in again', {
          reason: 'signed_out_meanwhile',
        })
      }
    },
  }
}

/** Beside the digests of logout tokens, which are of two parts. */
function markOf(kind: 'sid' | 'sub', provider: string, name: string): string {
  return compositeKey(kind, provider, name)
}

import type { ProviderConfig } from '../config.ts'
import { type Check, ok, skipped } from './check.ts'
import { judgeDate } from './clock.ts'
import { needing, openProvider } from './provider-at-hand.ts'
import {
  judgeDiscovery,
  judgeEndpoints,
  judgePkce,
  judgeScopes,
  judgeSignatures,
} from './provider-metadata.ts'
import { redirectUriChecks } from './redirect-uri.ts'
import type { Setup } from './setup.ts'

/** Everything about one provider: is it there, is it the right one, and will a sign-in at it succeed. */
export function providerChecks(setup: Setup, config: ProviderConfig): readonly Check[] {
  const provider = openProvider(setup, config)
  const named = (name: string, run: Check['run']): Check => ({ name: `provider ${config.id}: ${name}`, run })
  // Whose keys are in a file is not asked for anything, and where nobody signs in nothing is asked of a sign-in.
  if (config.jwks !== undefined)
    return [named('keys', async () => ok(`${config.jwks?.keys.length} from a file`))]
  const signIn = [
    named(
      'endpoints',
      needing(provider, (metadata) => judgeEndpoints(provider, metadata)),
    ),
    named(
      'PKCE',
      needing(provider, (metadata) => judgePkce(provider, metadata)),
    ),
    named(
      'scopes',
      needing(provider, (metadata) => judgeScopes(provider, metadata)),
    ),
    ...redirectUriChecks(setup, provider).map(({ name, run }) => named(name, run)),
  ]
  return [
    named('discovery', async () => judgeDiscovery(provider, await provider.discovery())),
    named(
      'signatures',
      needing(provider, (metadata, signal) => judgeSignatures(setup, provider, metadata, signal)),
    ),
    ...(config.signIn ? signIn : []),
    named('clock', async () => {
      const { reached } = await provider.discovery()
      if ('fault' in reached) return skipped('not known: the discovery failed')
      return judgeDate(`the clock of ${config.label}`, reached.response, reached.atMs)
    }),
  ]
}

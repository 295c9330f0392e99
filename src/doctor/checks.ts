import { certificateChecks } from './certificates.ts'
import type { Check } from './check.ts'
import { diskChecks } from './disk.ts'
import { environmentChecks } from './environment.ts'
import { fileChecks } from './files.ts'
import { providerChecks } from './provider.ts'
import { publicUrlChecks } from './public-url.ts'
import type { Setup } from './setup.ts'
import { storeChecks } from './store.ts'
import { upstreamChecks } from './upstream.ts'

/** Every check of a set-up, in the order in which they are told: from this machine outwards. */
export function allChecks(setup: Setup): readonly Check[] {
  const { config } = setup
  return [
    ...environmentChecks(setup),
    ...fileChecks(setup),
    ...diskChecks(config),
    ...storeChecks(setup),
    ...config.providers.flatMap((provider) => providerChecks(setup, provider)),
    ...upstreamChecks(setup),
    ...publicUrlChecks(setup),
    ...certificateChecks(setup),
  ]
}

import { certificateChecks } from './certificates.ts'
import type { Check } from './check.ts'
import { diskChecks } from './disk.ts'
import { environmentChecks } from './environment.ts'
import { fileChecks } from './files.ts'
import { providerChecks } from './provider.ts'
import { publicUrlChecks } from './public-url.ts'
import { type Place, placesOf, type Setup } from './setup.ts'
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
    ...placesOf(setup).flatMap((place) => named(place, upstreamChecks(place.setup))),
    ...placesOf(setup).flatMap((place) => named(place, publicUrlChecks(place.setup))),
    ...certificateChecks(setup),
  ]
}

/** `MLflow: answers` of a further one is `MLflow staging: answers`. */
function named({ id }: Pick<Place, 'id'>, checks: readonly Check[]): readonly Check[] {
  return id === undefined
    ? checks
    : checks.map(({ name, run }) => ({ name: name.replace(':', ` ${id}:`), run }))
}

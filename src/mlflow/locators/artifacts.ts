import { GatewayError } from '../../errors.ts'
import type { ResourceRef } from '../../policy/access.ts'
import type { Tier } from '../../policy/grants.ts'
import { placeOf } from '../../policy/workspace-name.ts'
import { after, type Soon } from '../../soon.ts'
import { EXPERIMENT_ID, type Locate, type Locating, SERVER } from '../locate.ts'

export type ArtifactKind = 'artifact_path'

export const ARTIFACT_LOCATORS: Readonly<Record<ArtifactKind, Locate>> = { artifact_path: artifactAt }

/**
 * `2/<run>/artifacts/model.pkl` → experiment 2, if that is where experiment 2 really stores. What counts is the
 * location the experiment was made with, with or without a `workspaces/<name>/` prefix (field report 20).
 */
export function artifactAt(path: string, { lookup, workspace }: Locating): Soon<readonly ResourceRef[]> {
  const segments = path.split('/')
  if (!isPlainPath(path) || /^[a-z][a-z0-9+.-]*:/i.test(path)) {
    throw new GatewayError('ERR_AMBIGUOUS_REQUEST', 'The artifact path can be read in more than one way')
  }
  const at = segments[0] === 'workspaces' ? 2 : 0
  // MLflow serves the files of another workspace to whoever finds a spelling that it does not recognize (SURFACE §8).
  if (at > 0 && workspace !== undefined && segments[1] !== placeOf(workspace).workspace) return [SERVER]
  const id = segments[at]
  if (id === undefined || !EXPERIMENT_ID.test(id)) return [SERVER]
  return after(lookup.experiment(id), (found) => {
    if (found?.artifactRoot !== segments.slice(0, at + 1).join('/')) return [SERVER]
    const { name } = found
    return tiersBelow(segments.slice(at + 1)).map((tier) => ({ type: 'experiment', key: id, name, tier }))
  })
}

/**
 * True for a path below some root of artifacts that everybody reads alike. MLflow decodes artifact paths until
 * nothing changes, takes them for URLs on the way (which drops a space at the start and an empty query or parameter),
 * and refuses some characters (`validate_path_is_safe`, 3.17.2). None of that may be left to do.
 */
export function isPlainPath(path: string): boolean {
  const isDotted = path.split('/').some((segment) => segment === '' || segment === '.' || segment === '..')
  return !isDotted && !/[\p{Cc}\\#]|%[0-9a-f]{2}|^ |;\?|[?;]$/iu.test(path)
}

const EVERY_TIER: readonly Tier[] = ['run', 'logged_model', 'trace']

/**
 * What of an experiment lies there: `<run>/artifacts`, `models/<model>/artifacts`, `traces/<trace>/artifacts` (3.17.2).
 * A path above those holds all of them.
 */
function tiersBelow([first]: readonly string[]): readonly Tier[] {
  if (first === undefined) return EVERY_TIER
  if (first === 'models') return ['logged_model']
  return first === 'traces' ? ['trace'] : ['run']
}

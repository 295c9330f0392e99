import { countsOn } from '../policy/workspace-name.ts'
import type { PlacedRole } from '../store/role-holdings.ts'
import type { Store } from '../store/store.ts'

/**
 * Roles as MLflow's auth API of one tracking server has them: those of others are not there, and what counts on all of them
 * is on each.
 *
 * @param server The id of a further tracking server, or undefined.
 */
export function rolesShownOn(server: string | undefined, roles: Store['roles']): Store['roles'] {
  const isHere = ({ workspace }: PlacedRole) => countsOn(server, workspace)
  return {
    ...roles,
    find: async (placeId) => {
      const role = await roles.find(placeId)
      return role !== undefined && isHere(role) ? role : undefined
    },
    findAll: async (ids) => (await roles.findAll(ids)).filter(isHere),
    listAll: async () => (await roles.listAll()).filter(isHere),
  }
}

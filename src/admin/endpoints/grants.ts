import { Type } from 'typebox'
import { GatewayError } from '../../errors.ts'
import { enter } from '../../identity/caller.ts'
import { DEFAULT_WORKSPACE, RESOURCE_TYPES, type ResourceType } from '../../policy/grants.ts'
import { keepsWorkspacesApart } from '../../policy/workspace-name.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { assertNotWider } from '../limits.ts'
import { readNewGrant } from '../new-grant.ts'
import { callerIn, partsIn } from '../place.ts'
import { About, assertManages, managedBy, resourceOf } from '../resource.ts'
import { GrantWire, grantToWire, LevelSchema } from '../wire.ts'

export const GRANT_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    name: 'grants.create',
    method: 'POST',
    path: '/grants',
    summary: 'Grant somebody a level on one resource; for whoever manages it',
    who: 'signed_in',
    body: Type.Object(
      {
        username: Type.String({ minLength: 1 }),
        ...About,
        level: LevelSchema,
        expires_at: Type.Optional(Type.Integer()),
      },
      { additionalProperties: false },
    ),
    answer: GrantWire,
    event: 'role_changed',
    handle: async ({ caller, body }, everywhere) => {
      const parts = partsIn(body.workspace, everywhere)
      const { store, now, workspace } = parts
      const resource = await resourceOf(body.resource_type as ResourceType, body.key, parts)
      assertManages(callerIn(caller, parts), resource)
      const wanted = { ...body, match: 'exact', pattern: body.key } as Parameters<typeof readNewGrant>[0]
      const grant = { ...readNewGrant(wanted, now()), workspace }
      await assertNotWider(caller, resource, grant, parts)
      const person = await store.people.find({ username: body.username })
      if (person === undefined) throw new GatewayError('ERR_NOT_FOUND', `Nobody is known as ${body.username}`)
      const { id } = await store.roles.personal(person.id)
      const made = await store.roles.grant(id, {
        ...grant,
        source: 'manual',
        createdBy: caller.principal.username,
      })
      return {
        status: 201,
        body: grantToWire(made),
        workspace,
        resources: [
          { type: 'user', id: person.id, name: person.username },
          { type: resource.type, id: body.key, name: resource.name },
        ],
      }
    },
  }),
  endpoint({
    name: 'grants.delete',
    method: 'DELETE',
    path: '/grants/:id',
    summary: 'Take away what was granted to somebody on one resource; for whoever manages it',
    who: 'signed_in',
    params: Type.Object({ id: Type.String() }),
    event: 'role_changed',
    handle: async ({ caller, params }, everywhere) => {
      const { store, config } = everywhere
      const found = await store.roles.findGrant(params.id)
      const role = found && (await store.roles.details(found.roleId))
      if (found === undefined || role?.ownerUserId === undefined || found.grant.match !== 'exact')
        throw noSuchGrant()
      const { resourceType, pattern, source, workspace } = found.grant
      if (!RESOURCE_TYPES.some((type) => type === resourceType)) throw noSuchGrant()
      // What is left from when workspaces were kept apart counts nowhere, and is shown with its role only.
      if (workspace !== undefined && !keepsWorkspacesApart(config)) throw noSuchGrant()
      const parts = partsIn(workspace, everywhere)
      const placed = enter(workspace ?? DEFAULT_WORKSPACE, caller)
      const resource = placed && (await managedBy(placed, resourceType as ResourceType, pattern, parts))
      // Who does not manage it learns nothing of who has what on it.
      if (resource === undefined) throw noSuchGrant()
      if (source === 'policy' || !(await store.roles.revokeGrant(params.id))) throw noSuchGrant()
      return {
        workspace: parts.workspace,
        resources: [
          { type: 'user', id: role.ownerUserId },
          { type: resourceType, id: pattern, name: resource.name },
        ],
      }
    },
  }),
]

function noSuchGrant(): GatewayError {
  return new GatewayError('ERR_NOT_FOUND', 'There is no such grant that you could take away')
}

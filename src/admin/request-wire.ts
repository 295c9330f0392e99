import { Type } from 'typebox'
import type { ResourceRef } from '../policy/access.ts'
import type { AccessRequest } from '../store/access-requests.ts'
import { WorkspaceWire, workspaceToWire } from './place.ts'

/** A request for access, as the JSON API tells of it. */
export const RequestWire = Type.Object({
  id: Type.String(),
  user_id: Type.String(),
  username: Type.String(),
  resource_type: Type.String(),
  key: Type.String(),
  about: Type.Union(
    [
      Type.Object({
        resource_type: Type.String(),
        key: Type.String(),
        name: Type.Union([Type.String(), Type.Null()]),
      }),
      Type.Null(),
    ],
    { description: 'What that is, for those who manage it; null if there is no such thing.' },
  ),
  ...WorkspaceWire,
  level: Type.String(),
  note: Type.String(),
  state: Type.Enum(['open', 'granted', 'declined', 'withdrawn']),
  created_at: Type.Integer(),
  decided_at: Type.Union([Type.Integer(), Type.Null()]),
  decided_by: Type.Union([Type.String(), Type.Null()]),
  answer: Type.String(),
})

/** @param about For those who manage it only. */
export function requestToWire(request: AccessRequest, about?: ResourceRef) {
  return {
    id: request.id,
    user_id: request.userId,
    username: request.username,
    resource_type: request.resourceType,
    key: request.key,
    about:
      about?.key === undefined
        ? null
        : { resource_type: about.type, key: about.key, name: about.name ?? null },
    ...workspaceToWire(request.workspace),
    level: request.level,
    note: request.note,
    state: request.state,
    created_at: request.createdAt,
    decided_at: request.decidedAt ?? null,
    decided_by: request.decidedBy ?? null,
    answer: request.answer,
  }
}

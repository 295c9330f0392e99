import { Type } from 'typebox'
import { type Endpoint, endpoint } from '../endpoint.ts'

export const OVERVIEW_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    name: 'overview.get',
    method: 'GET',
    path: '/overview',
    summary: 'How much there is to look after',
    who: 'admin',
    answer: Type.Object({
      open_requests: Type.Integer({ description: 'Requests for access that wait for an answer.' }),
      roles: Type.Integer(),
    }),
    handle: async (_request, { store }) => ({
      body: { open_requests: await store.accessRequests.countOpen(), roles: await store.roles.count() },
    }),
  }),
]

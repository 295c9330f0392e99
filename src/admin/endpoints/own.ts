import { Type } from 'typebox'
import { GatewayError } from '../../errors.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { SessionWire, sessionToWire } from '../wire.ts'
import { PersonWire, personDetails } from './people.ts'

/** What everybody may see and do about themselves. */
export const OWN_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    name: 'own.access',
    method: 'GET',
    path: '/me/access',
    summary: 'What one may do oneself, and through what',
    who: 'signed_in',
    answer: PersonWire,
    handle: async ({ caller: { principal } }, { store, config }) => {
      const membership = await store.people.membership(principal.userId, config.providers)
      if (membership === undefined) throw new GatewayError('ERR_NOT_FOUND', 'You are not known any more')
      return { body: personDetails(membership, principal.isAdmin) }
    },
  }),
  endpoint({
    name: 'own.sessions',
    method: 'GET',
    path: '/me/sessions',
    summary: 'Where one is signed in',
    who: 'signed_in',
    answer: Type.Object({ sessions: Type.Array(SessionWire) }),
    handle: async ({ caller }, { store }) => ({
      body: { sessions: (await store.sessions.list(caller.principal.userId)).map(sessionToWire) },
    }),
  }),
  endpoint({
    name: 'own.end_sessions',
    method: 'DELETE',
    path: '/me/sessions',
    summary: 'Sign out everywhere',
    who: 'signed_in',
    answer: Type.Object({ ended: Type.Integer() }),
    event: 'session_ended',
    handle: async ({ caller: { principal } }, { store }) => ({
      body: { ended: await store.sessions.destroyOf(principal.userId) },
      resources: [{ type: 'user', id: principal.userId, name: principal.username }],
    }),
  }),
]

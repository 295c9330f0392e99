import { Type } from 'typebox'
import { GatewayError } from '../../errors.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { SessionWire, sessionToWire, TokenWire, tokenToWire } from '../wire.ts'
import { Id, membershipOf, resource } from './people.ts'

/** What a person signs in by, for administrators to see and to end. */
export const CREDENTIAL_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    name: 'people.tokens',
    method: 'GET',
    path: '/people/:id/tokens',
    summary: 'Access tokens of a person, newest first',
    who: 'admin',
    params: Id,
    answer: Type.Object({ tokens: Type.Array(TokenWire) }),
    handle: async ({ params }, parts) => {
      await membershipOf(params.id, parts)
      return { body: { tokens: (await parts.store.tokens.list(params.id)).map(tokenToWire) } }
    },
  }),
  endpoint({
    name: 'people.revoke_token',
    method: 'DELETE',
    path: '/people/:id/tokens/:token',
    summary: 'Revoke an access token of a person',
    who: 'admin',
    params: Type.Object({ ...Id.properties, token: Type.String() }),
    event: 'token_revoked',
    handle: async ({ params }, { store }) => {
      const token = await store.tokens.get(params.token)
      if (token?.userId !== params.id || !(await store.tokens.revoke(params.token)))
        throw new GatewayError('ERR_NOT_FOUND', 'The person has no such token, or it was revoked before')
      return { resources: [{ type: 'access_token', id: token.jti, name: token.name }] }
    },
  }),
  endpoint({
    name: 'people.sessions',
    method: 'GET',
    path: '/people/:id/sessions',
    summary: 'Browser sessions of a person, newest first',
    who: 'admin',
    params: Id,
    answer: Type.Object({ sessions: Type.Array(SessionWire) }),
    handle: async ({ params }, parts) => {
      await membershipOf(params.id, parts)
      return { body: { sessions: (await parts.store.sessions.list(params.id)).map(sessionToWire) } }
    },
  }),
  endpoint({
    name: 'people.end_session',
    method: 'DELETE',
    path: '/people/:id/sessions/:session',
    summary: 'End one browser session of a person',
    who: 'admin',
    params: Type.Object({ ...Id.properties, session: Type.String() }),
    event: 'session_ended',
    handle: async ({ params }, parts) => {
      const { person } = await membershipOf(params.id, parts)
      const own = (await parts.store.sessions.list(params.id)).some(({ id }) => id === params.session)
      if (!own || !(await parts.store.sessions.destroy(params.session)))
        throw new GatewayError('ERR_NOT_FOUND', 'The person has no such session, or it has ended')
      return { resources: [...resource(person), { type: 'session', id: params.session }] }
    },
  }),
  endpoint({
    name: 'people.end_sessions',
    method: 'DELETE',
    path: '/people/:id/sessions',
    summary: 'Sign a person out everywhere',
    who: 'admin',
    params: Id,
    answer: Type.Object({ ended: Type.Integer() }),
    event: 'session_ended',
    handle: async ({ params }, parts) => {
      const { person } = await membershipOf(params.id, parts)
      return { body: { ended: await parts.store.sessions.destroyOf(params.id) }, resources: resource(person) }
    },
  }),
]

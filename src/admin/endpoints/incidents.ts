import { Type } from 'typebox'
import { GatewayError } from '../../errors.ts'
import { type LockdownState, REASON_LIMIT } from '../../store/lockdown.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { SessionWire, sessionToWire } from '../wire.ts'

const LockdownWire = Type.Object({
  mode: Type.Enum(['off', 'closed', 'read_only'], {
    description: 'closed: administrators only; read_only: nobody changes anything in MLflow.',
  }),
  reason: Type.Union([Type.String(), Type.Null()], { description: 'Told to everybody who is refused.' }),
  by: Type.Union([Type.String(), Type.Null()]),
  since: Type.Union([Type.Integer(), Type.Null()], { description: 'Seconds since the epoch.' }),
})

function lockdownToWire(state: LockdownState | undefined) {
  const { mode = 'off', reason = null, by = null, since = null } = state ?? {}
  return { mode, reason, by, since }
}

const Ended = Type.Object({ ended: Type.Integer() })
const EVERYBODY = [{ type: 'user', id: '*' }]

/** What ends a lot at once, for when something has happened. */
export const INCIDENT_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    name: 'lockdown.get',
    method: 'GET',
    path: '/lockdown',
    summary: 'Whether the gateway is locked down',
    who: 'admin',
    answer: LockdownWire,
    handle: async (_request, { store }) => ({ body: lockdownToWire(await store.lockdowns.read()) }),
  }),
  endpoint({
    name: 'lockdown.set',
    method: 'PUT',
    path: '/lockdown',
    summary: 'Let nobody but administrators in, or nobody change anything in MLflow',
    who: 'admin',
    body: Type.Object(
      {
        mode: Type.Enum(['closed', 'read_only']),
        reason: Type.Optional(Type.String({ maxLength: REASON_LIMIT })),
      },
      { additionalProperties: false },
    ),
    answer: LockdownWire,
    event: 'lockdown_changed',
    handle: async ({ caller, body: { mode, reason } }, { store }) => {
      const state = await store.lockdowns.set({ mode, reason, by: caller.principal.username })
      return { body: lockdownToWire(state), resources: [{ type: 'lockdown', id: mode, name: reason }] }
    },
  }),
  endpoint({
    name: 'lockdown.clear',
    method: 'DELETE',
    path: '/lockdown',
    summary: 'End the lockdown',
    who: 'admin',
    event: 'lockdown_changed',
    handle: async (_request, { store }) => {
      if (!(await store.lockdowns.clear()))
        throw new GatewayError('ERR_NOT_FOUND', 'The gateway is not locked down')
      return { resources: [{ type: 'lockdown', id: 'off' }] }
    },
  }),
  endpoint({
    name: 'sessions.list',
    method: 'GET',
    path: '/sessions',
    summary: 'Everybody who is signed in in a browser, newest first',
    who: 'admin',
    answer: Type.Object({
      sessions: Type.Array(Type.Object({ ...SessionWire.properties, user_id: Type.String() })),
    }),
    handle: async (_request, { store }) => {
      const sessions = await store.sessions.list()
      return {
        body: { sessions: sessions.map((each) => ({ ...sessionToWire(each), user_id: each.userId })) },
      }
    },
  }),
  endpoint({
    name: 'sessions.end_all',
    method: 'DELETE',
    path: '/sessions',
    summary: 'Sign everybody out, also who asks for it',
    who: 'admin',
    answer: Ended,
    event: 'session_ended',
    handle: async (_request, { store }) => ({
      body: { ended: await store.sessions.destroyAll() },
      resources: EVERYBODY,
    }),
  }),
  endpoint({
    name: 'access_tokens.revoke_all',
    method: 'DELETE',
    path: '/access-tokens',
    summary: "Revoke everybody's access tokens",
    who: 'admin',
    answer: Ended,
    event: 'token_revoked',
    handle: async (_request, { store }) => ({
      body: { ended: await store.tokens.revokeAll() },
      resources: EVERYBODY,
    }),
  }),
  endpoint({
    name: 'people.revoke_tokens',
    method: 'DELETE',
    path: '/people/:id/tokens',
    summary: "Revoke all of a person's access tokens",
    who: 'admin',
    params: Type.Object({ id: Type.String({ description: 'Of the person.' }) }),
    answer: Ended,
    event: 'token_revoked',
    handle: async ({ params: { id } }, { store, config }) => {
      const person = (await store.people.membership(id, config.providers))?.person
      if (person === undefined) throw new GatewayError('ERR_NOT_FOUND', 'There is no such person')
      const ended = await store.tokens.revokeOf(id)
      return { body: { ended }, resources: [{ type: 'user', id, name: person.username }] }
    },
  }),
  endpoint({
    name: 'keys.replace',
    method: 'POST',
    path: '/keys/replace',
    summary: 'Put a new signing key in the place of all others: every session and access token ends',
    who: 'admin',
    answer: Type.Object({ kid: Type.String(), sessions: Type.Integer(), tokens: Type.Integer() }),
    event: 'keys_rotated',
    handle: async (_request, { keyring }) => {
      const replaced = await keyring.replace()
      return { body: replaced, resources: [{ type: 'key', id: replaced.kid }] }
    },
  }),
]

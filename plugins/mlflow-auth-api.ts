import fp from 'fastify-plugin'
import { eventOf } from './audit.ts'

const USERS_CURRENT = [
  '/api/2.0/mlflow/users/current',
  '/ajax-api/2.0/mlflow/users/current',
  '/api/3.0/mlflow/users/current',
  '/ajax-api/3.0/mlflow/users/current',
]

/**
 * Routes of MLflow's own auth app that the gateway answers, so that MLflow's pages and clients find what they look
 * for (mlflow/server/auth, 3.17.2). A bare tracking server has none of them.
 */
export const mlflowAuthApi = fp(
  async (app) => {
    for (const url of USERS_CURRENT) {
      app.get(url, async (request, reply) => {
        const { principal, credential } = await app.identify(request, reply)
        reply.header('cache-control', 'no-store')
        app.audit.record(
          eventOf(request, reply, {
            event: 'decision',
            operation: 'users.current',
            effect: 'allow',
            status: 200,
            principal,
            credential,
          }),
        )
        const { userId: id, username, isAdmin } = principal
        // Not basic auth: the interface then offers no change of password.
        return { user: { id, username, is_admin: isAdmin }, is_basic_auth: false }
      })
    }
  },
  { name: 'mlflow-auth-api', dependencies: ['audit', 'errors', 'identify'], fastify: '5.x' },
)

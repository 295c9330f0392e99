import fp from 'fastify-plugin'
import { accountPage } from '../src/console/account-page.ts'
import { ASSETS } from '../src/console/assets.ts'
import { pageHeaders } from '../src/console/headers.ts'
import { GatewayError } from '../src/errors.ts'

export type ConsoleOptions = { readonly publicUrl: URL }

const YEAR = 31_536_000

/** `/auth`, the page that says who one is; what our pages load; and the same as JSON for programs. */
export const console = fp<ConsoleOptions>(
  async (app, { publicUrl }) => {
    for (const url of ['/auth', '/auth/']) {
      app.get(url, async (request, reply) => {
        const { principal } = await app.identify(request, reply)
        return reply.headers(pageHeaders(publicUrl)).send(accountPage(principal, publicUrl))
      })
    }

    app.get('/auth/api/v1/me', async (request, reply) => {
      const { principal } = await app.identify(request, reply)
      reply.header('cache-control', 'no-store')
      const { username, subject, issuer, provider, roles, groups, isAdmin } = principal
      return { username, subject, issuer, provider, roles, groups, is_admin: isAdmin }
    })

    // Open to anybody: the sign-in page is styled too, and nothing in them is secret.
    app.get<{ Params: { name: string }; Querystring: { v?: string } }>(
      '/auth/assets/:name',
      async (request, reply) => {
        const asset = ASSETS.get(request.params.name)
        if (asset === undefined)
          throw new GatewayError('ERR_NO_SUCH_ROUTE', 'This address is not one the gateway serves')
        const etag = `"${asset.hash}"`
        const forGood = request.query.v === asset.hash
        reply.headers({ etag, 'cache-control': forGood ? `public, max-age=${YEAR}, immutable` : 'no-cache' })
        if (request.headers['if-none-match'] === etag) return reply.code(304).send()
        return reply.type(asset.type).send(asset.body)
      },
    )
  },
  { name: 'console', dependencies: ['errors', 'identify', 'security'], fastify: '5.x' },
)

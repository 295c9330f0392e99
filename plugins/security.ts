import type { IncomingMessage } from 'node:http'
import type { FastifyReply } from 'fastify'
import fp from 'fastify-plugin'
import { commonHeaders, pageHeaders } from '../src/console/headers.ts'
import { createHostCheck } from '../src/console/host-check.ts'
import { GatewayError } from '../src/errors.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route answers under any host name: probes come by address. */
    readonly anyHost?: boolean
  }
}

export type SecurityOptions = {
  readonly publicUrl: URL
  /** As `Config.allowedHosts`. */
  readonly allowedHosts: readonly string[]
  /** Origins a form of our pages may be redirected to: those of the providers. Asked for each page. */
  readonly formTargets: () => readonly string[]
}

/**
 * Refuses requests that are not for this host, before anything else looks at them, and puts the security headers on
 * every answer of ours. Register it before all routes and all plugins that identify.
 */
export const security = fp<SecurityOptions>(
  async (app, { publicUrl, allowedHosts, formTargets }) => {
    const isAllowed = createHostCheck(allowedHosts)
    const common = commonHeaders(publicUrl)
    app.addHook('onRequest', (request, reply, next) => {
      reply.header('x-request-id', request.id)
      if (request.routeOptions.config.anyHost === true) return next()
      next(refuseHost(request.raw, isAllowed, publicUrl))
    })
    app.addHook('onSend', (request, reply, payload, next) => {
      // MLflow's own answers do not come by here.
      const isPage = request.routeOptions.url?.startsWith('/auth') === true && isHtml(reply)
      const headers = isPage ? pageHeaders(publicUrl, formTargets()) : common
      for (const [name, value] of Object.entries(headers))
        if (!reply.hasHeader(name)) reply.header(name, value)
      next(null, payload)
    })
  },
  { name: 'security', fastify: '5.x' },
)

function refuseHost(
  request: IncomingMessage,
  isAllowed: (host: string) => boolean,
  publicUrl: URL,
): GatewayError | undefined {
  // RFC 9112 §3.2.2: an absolute-form target would outweigh the Host header. Only a client of a forward proxy sends one.
  if (request.url?.startsWith('/') !== true) {
    return new GatewayError('ERR_AMBIGUOUS_REQUEST', 'The request target must be a path')
  }
  if (countHosts(request.rawHeaders) !== 1) {
    return new GatewayError('ERR_AMBIGUOUS_REQUEST', 'Send exactly one Host header')
  }
  if (isAllowed(request.headers.host ?? '')) return undefined
  return new GatewayError(
    'ERR_WRONG_HOST',
    `This server is ${publicUrl.origin}; it does not answer under the name this request was sent to`,
    { reason: 'host_not_allowed' },
  )
}

/** Node keeps the first of several; what stands before us may have looked at the last. */
function countHosts(rawHeaders: readonly string[]): number {
  let count = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]
    if (name?.length === 4 && name.toLowerCase() === 'host') count += 1
  }
  return count
}

function isHtml(reply: FastifyReply): boolean {
  const type = reply.getHeader('content-type')
  return typeof type === 'string' && type.startsWith('text/html')
}

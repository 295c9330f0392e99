import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { AuditEvent } from '../src/audit/event.ts'
import { moment } from '../src/audit/moment.ts'
import type { AuditSink } from '../src/audit/sink.ts'
import type { Credential, Principal } from '../src/identity/principal.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The record of what was decided and done. Never throws, never waits. */
    readonly audit: { readonly record: (event: AuditEvent) => void }
  }
}

export type AuditOptions = {
  readonly sink: AuditSink
  /** Told of every event besides the sink, such as the metrics. Must not throw. */
  readonly observers?: readonly ((event: AuditEvent) => void)[] | undefined
  /** The trace that the request at hand is in, if one is kept of it. */
  readonly traceId?: (() => string | undefined) | undefined
}

/** Decorates `app.audit`. Register it before what records: on closing, later plugins end first, then the sink is flushed. */
export const audit = fp<AuditOptions>(
  async (app, { sink, observers = [], traceId }) => {
    app.decorate('audit', {
      record: (event: AuditEvent) => {
        const trace = traceId?.()
        sink.record(trace === undefined ? event : { ...event, traceId: trace })
        for (const observe of observers) observe(event)
      },
    })
    app.addHook('onResponse', (request, reply, next) => {
      if (request.is404) {
        const outcome = { effect: 'deny', status: reply.statusCode, reason: 'no_such_route' } as const
        app.audit.record(eventOf(request, reply, { event: 'decision', ...outcome }))
      }
      next()
    })
    app.addHook('onClose', async () => {
      await sink.close()
      if (sink.dropped() > 0) app.log.warn({ dropped: sink.dropped() }, 'audit events were dropped')
    })
  },
  { name: 'audit', dependencies: ['client-address'], fastify: '5.x' },
)

/** What a route of ours knows of an event; the rest is read off the request. */
export type OwnEvent = Pick<
  AuditEvent,
  'event' | 'effect' | 'status' | 'reason' | 'operation' | 'resources' | 'workspace'
> & {
  readonly principal?: Principal | undefined
  readonly credential?: Credential | undefined
}

/** @returns The event for a request to one of our own routes. The path is the route's template, never what was sent. */
export function eventOf(request: FastifyRequest, reply: FastifyReply, event: OwnEvent): AuditEvent {
  const { principal, credential, effect, status, reason, operation, resources, workspace } = event
  return {
    at: moment(),
    requestId: request.id,
    event: event.event,
    userId: principal?.userId,
    username: principal?.username,
    provider: principal?.provider,
    credential: credential && { kind: credential.kind, form: credential.form, id: credential.id },
    operation,
    method: request.method,
    path: request.routeOptions.url ?? '',
    workspace,
    resources,
    effect,
    reason,
    status,
    bytesIn: 0,
    bytesOut: 0,
    durationMs: Math.round(reply.elapsedTime * 1000) / 1000,
    remoteAddress: request.clientAddress,
  }
}

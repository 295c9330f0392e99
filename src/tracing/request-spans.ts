import type { AsyncLocalStorage } from 'node:async_hooks'
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  type Context,
  type Link,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { parseTraceParent, TraceState } from '@opentelemetry/core'
import type { Tracing } from './tracing.ts'

/** A request that is being worked on. */
export type TracedRequest = {
  readonly span: Span
  /** The span as the parent of others. */
  readonly context: Context
  readonly method: string
  /** What went wrong, by its code, once that is known. */
  fault?: string
}

export type RequestSpansOptions = {
  readonly tracer: Tracer
  readonly requests: AsyncLocalStorage<TracedRequest>
  readonly isTrusted: (request: IncomingMessage) => boolean
}

/** Others are `_OTHER`: what a client sends as a method is no name of ours (HTTP semantic conventions). */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** One span a request, by the semantic conventions for HTTP servers, named by its operation or else by its route. */
export function createRequestSpans({
  tracer,
  requests,
  isTrusted,
}: RequestSpansOptions): Pick<Tracing, 'begin' | 'observe' | 'traceId'> {
  return {
    begin({ request, response, requestId, route }, next) {
      const method = METHODS.has(request.method ?? '') ? String(request.method) : '_OTHER'
      const { parent, links } = originOf(request, isTrusted)
      const span = tracer.startSpan(
        nameOf(method, route),
        {
          kind: SpanKind.SERVER,
          links,
          attributes: {
            'http.request.method': method,
            'mlflow_gateway.request_id': requestId,
            ...(route === undefined ? {} : { 'http.route': route }),
          },
        },
        parent,
      )
      const traced: TracedRequest = { span, method, context: trace.setSpan(ROOT_CONTEXT, span) }
      response.once('close', () => {
        const at = performance.now()
        // What was decided is recorded once the answer has gone out, a moment from now.
        setImmediate(() => finish(traced, response, at))
      })
      requests.run(traced, next)
    },
    observe({ operation, path, effect, reason }) {
      const traced = requests.getStore()
      if (traced === undefined || !traced.span.isRecording()) return
      const { span, method } = traced
      const name = operation ?? (path === '' ? undefined : path)
      if (name !== undefined) span.updateName(nameOf(method, name))
      if (path !== '') span.setAttribute('http.route', path)
      if (operation !== undefined) span.setAttribute('mlflow_gateway.operation', operation)
      span.setAttribute('mlflow_gateway.effect', effect)
      if (reason !== undefined) span.setAttribute('mlflow_gateway.reason', reason)
      if (effect === 'error') traced.fault = reason ?? 'error'
    },
    traceId() {
      const { traceId, traceFlags } = requests.getStore()?.span.spanContext() ?? {}
      return traceFlags === TraceFlags.SAMPLED ? traceId : undefined
    },
  }
}

function nameOf(method: string, target: string | undefined): string {
  const verb = method === '_OTHER' ? 'HTTP' : method
  return target === undefined ? verb : `${verb} ${target}`
}

/**
 * A trusted proxy's trace goes on. Anybody else's is only linked to, without what they say besides its ids: a stranger
 * must not decide what is sampled, nor put spans of ours into a trace of somebody else.
 */
function originOf(
  request: IncomingMessage,
  isTrusted: RequestSpansOptions['isTrusted'],
): { readonly parent: Context; readonly links: Link[] } {
  const { traceparent, tracestate } = request.headers
  const sent = typeof traceparent === 'string' ? parseTraceParent(traceparent) : null
  if (sent === null) return { parent: ROOT_CONTEXT, links: [] }
  if (!isTrusted(request)) {
    return { parent: ROOT_CONTEXT, links: [{ context: { ...sent, isRemote: true } }] }
  }
  const state = typeof tracestate === 'string' ? { traceState: new TraceState(tracestate) } : {}
  return { parent: trace.setSpanContext(ROOT_CONTEXT, { ...sent, ...state, isRemote: true }), links: [] }
}

/** A refusal is no error of the server's; a fault of ours or of MLflow's is, and so is an answer that was cut off. */
function finish({ span, fault }: TracedRequest, response: ServerResponse, at: number): void {
  if (span.isRecording()) {
    const { headersSent, statusCode, writableFinished } = response
    if (headersSent) span.setAttribute('http.response.status_code', statusCode)
    const failed = statusCode >= 500 && headersSent ? String(statusCode) : undefined
    const error = fault ?? failed ?? (writableFinished ? undefined : 'cut_off')
    if (error !== undefined) {
      span.setAttribute('error.type', error)
      span.setStatus({ code: SpanStatusCode.ERROR })
    }
  }
  span.end(at)
}

import {
  defaultTextMapSetter,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { isGatewayError } from '../errors.ts'
import { CATALOGUE } from '../mlflow/catalogue.ts'
import type { Upstream, UpstreamRequest } from '../mlflow/upstream.ts'
import type { TracedRequest } from './request-spans.ts'

export type TracedUpstreamOptions = {
  readonly tracer: Tracer
  /** The request that is being worked on, if one is. */
  readonly current: () => TracedRequest | undefined
}

type Asked = Pick<UpstreamRequest, 'method' | 'template'> & { readonly purpose: 'request' | 'look_up' }

/** Paths that hold no value: all of a look-up's target that may stand in a span. */
const FIXED: ReadonlySet<string> = new Set(
  CATALOGUE.flatMap(({ paths }) => paths.filter(({ isFixed }) => isFixed).map(({ text }) => text)),
)

const propagator = new W3CTraceContextPropagator()

/**
 * Asks within a span by the semantic conventions for HTTP clients, and sends `traceparent` along. A look-up that several
 * requests wait for is in the trace of the one that asked first. What no request asked for has no span.
 */
export function tracedUpstream(upstream: Upstream, { tracer, current }: TracedUpstreamOptions): Upstream {
  const within = async <T extends { readonly status: number }>(
    { method, template, purpose }: Asked,
    ask: (headers: readonly string[]) => Promise<T>,
  ): Promise<T> => {
    const request = current()
    if (request === undefined) return ask([])
    const span = tracer.startSpan(
      template === undefined ? method : `${method} ${template}`,
      {
        kind: SpanKind.CLIENT,
        attributes: {
          'http.request.method': method,
          'mlflow_gateway.purpose': purpose,
          ...(template === undefined ? {} : { 'url.template': template }),
        },
      },
      request.context,
    )
    try {
      const answer = await ask(headersOf(span))
      finish(span, answer.status)
      return answer
    } catch (fault) {
      fail(span, isGatewayError(fault) ? (fault.reason ?? fault.code) : 'ERR_INTERNAL')
      span.end()
      throw fault
    }
  }
  const send = <T extends { readonly status: number }>(
    sent: UpstreamRequest,
    ask: (request: UpstreamRequest) => Promise<T>,
  ) =>
    within({ ...sent, purpose: 'request' }, (own) =>
      ask(sent.joinsTrace === true ? sent : { ...sent, headers: [...sent.headers, ...own] }),
    )
  return {
    send: (request, client) => send(request, (own) => upstream.send(own, client)),
    pipe: (request, response, headers) => send(request, (own) => upstream.pipe(own, response, headers)),
    getJson: (target, headers = []) => {
      const [path = ''] = target.split('?', 1)
      const template = FIXED.has(path) ? path : undefined
      return within({ method: 'GET', template, purpose: 'look_up' }, (own) =>
        upstream.getJson(target, [...headers, ...own]),
      )
    },
    close: () => upstream.close(),
  }
}

/** @returns Names and values alternating. */
function headersOf(span: Span): readonly string[] {
  const headers: Record<string, string> = {}
  propagator.inject(trace.setSpan(ROOT_CONTEXT, span), headers, defaultTextMapSetter)
  return Object.entries(headers).flat()
}

function finish(span: Span, status: number): void {
  span.setAttribute('http.response.status_code', status)
  if (status >= 400) fail(span, String(status))
  span.end()
}

function fail(span: Span, error: string): void {
  span.setAttribute('error.type', error)
  span.setStatus({ code: SpanStatusCode.ERROR })
}

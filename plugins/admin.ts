import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { type AdminParts, type AdminRequest, type Endpoint, isHarmless } from '../src/admin/endpoint.ts'
import { assertMayAsk, ownWorkspaces } from '../src/admin/place.ts'
import { readAction } from '../src/console/admin/action.ts'
import { consultant, endpointNamed } from '../src/console/admin/consult.ts'
import { PAGES, type PageRoute } from '../src/console/admin/pages.ts'
import type { FormTokens } from '../src/console/form-token.ts'
import { pageHeaders } from '../src/console/headers.ts'
import { OWN_BODY_LIMIT, readOwnForm } from '../src/console/own-body.ts'
import { GatewayError } from '../src/errors.ts'
import type { Caller } from '../src/identity/caller.ts'
import { assertMayChange } from '../src/policy/lockdown.ts'
import { keepsWorkspacesApart } from '../src/policy/workspace-name.ts'
import { eventOf } from './audit.ts'
import { assertSameOrigin } from './origin.ts'

export type AdminOptions = {
  readonly endpoints: readonly Endpoint[]
  readonly parts: AdminParts
  readonly publicUrl: URL
  readonly formTokens: FormTokens
  /** Resolves once what was just changed holds here. */
  readonly refresh: () => Promise<void>
}

/** The console: pages that show what the JSON API answers, and one route for all of their forms. */
export const admin = fp<AdminOptions>(
  async (app, options) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: OWN_BODY_LIMIT }, (_request, body, done) =>
      done(null, body),
    )
    for (const route of PAGES) addPage(app, route, options)
    app.post<{ Params: { name: string } }>('/auth/admin/do/:name', (request, reply) =>
      act(app, request, reply, options),
    )
  },
  {
    name: 'admin',
    dependencies: ['audit', 'errors', 'identify', 'security'],
    fastify: '5.x',
    encapsulate: true,
  },
)

function addPage(app: FastifyInstance, { path, who, view }: PageRoute, options: AdminOptions): void {
  app.get(path, async (request, reply) => {
    const caller = await app.identify(request, reply)
    assertBrowser(caller)
    assertMayAsk({ who, name: path }, caller, options.parts)
    const { publicUrl, endpoints, parts, formTokens } = options
    const page = await view({
      publicUrl,
      principal: caller.principal,
      isWorkspacesOn: keepsWorkspacesApart(parts.config),
      administered: ownWorkspaces(caller, parts),
      providers: parts.config.providers.map(({ id }) => id),
      formToken: formTokens.issue(caller.credential.id),
      consult: consultant(endpoints, parts, caller),
      params: request.params as Record<string, string>,
      query: single(request.query as Record<string, string | string[] | undefined>),
      here: publicUrl.pathname.replace(/\/+$/, '') + (request.raw.url ?? path),
      now: parts.now(),
    })
    return reply.headers(pageHeaders(publicUrl)).send(page)
  })
}

/** A field of a page's address counts once. */
function single(query: Record<string, string | string[] | undefined>): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(query).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
  )
}

/** Pages are for people: a token that leaked shall not be able to look around in them. */
function assertBrowser({ credential }: Caller): void {
  if (credential.kind === 'session' && credential.form === 'cookie') return
  throw new GatewayError(
    'ERR_PERMISSION_DENIED',
    'This page is for the browser, signed in; with a token use the API under /auth/api/v1',
    { reason: 'session_needed' },
  )
}

/** What a form asks for is done by the JSON API's endpoint, under the same rules. */
async function act(
  app: FastifyInstance,
  request: FastifyRequest<{ Params: { name: string } }>,
  reply: FastifyReply,
  { endpoints, parts, publicUrl, formTokens, refresh }: AdminOptions,
): Promise<FastifyReply> {
  const caller = await app.identify(request, reply)
  assertSameOrigin(request, caller.credential, publicUrl)
  assertBrowser(caller)
  const fields = readOwnForm(request.headers['content-type'], request.body)
  if (!formTokens.check(caller.credential.id, fields.get('form_token'))) {
    const message = 'This form was not made for your session; open the page again'
    throw new GatewayError('ERR_CROSS_ORIGIN', message, { reason: 'form_token' })
  }
  const endpoint = endpointNamed(request.params.name, endpoints)
  const record = (effect: 'allow' | 'deny', more: object) =>
    app.audit.record(
      eventOf(request, reply, {
        event: effect === 'allow' ? (endpoint.event ?? 'decision') : 'decision',
        operation: `admin.${endpoint.name}`,
        effect,
        status: 303,
        principal: caller.principal,
        credential: caller.credential,
        ...more,
      }),
    )
  try {
    assertMayAsk(endpoint, caller, parts)
    if (!isHarmless(endpoint)) assertMayChange(app.lockdown(), caller, endpoint.name)
    const action = await readAction(endpoint, fields, { ...parts, publicUrl })
    const answer = await endpoint.handle(
      { caller, ...action.request } as AdminRequest<never, never, never>,
      parts,
    )
    await refresh()
    record('allow', { resources: answer.resources, workspace: answer.workspace })
    return reply.redirect(action.next, 303)
  } catch (fault) {
    if (fault instanceof GatewayError)
      record('deny', { status: fault.refusal.status, reason: fault.reason ?? fault.code })
    throw fault
  }
}

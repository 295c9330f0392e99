import { GatewayError } from '../errors.ts'
import type { Access } from '../policy/access.ts'
import { argsInQuery, type Call, memberOf } from './call.ts'
import { jsonName, readJsonObject } from './json.ts'
import { KeptRows } from './kept-rows.ts'
import { type ListAnswer, readList } from './list-answer.ts'
import { firstFetch, isReadable, ROWS, seesAllRows } from './list-rows.ts'
import type { Lookup } from './lookup.ts'
import type { ListSpec } from './operation.ts'
import type { PageTokens, Position } from './page-token.ts'
import { setField, withChanges } from './rewrite.ts'
import type { UpstreamResponse } from './upstream.ts'

export type ListContext = {
  readonly caller: {
    readonly userId: string
    readonly username?: string
    readonly isMemberOf?: (workspace: string) => boolean
    readonly isAdmin: boolean
    readonly access: Access
  }
  readonly lookup: Lookup
  /** The jobs that the caller started. */
  readonly ownJobs?: (() => Promise<ReadonlySet<string>>) | undefined
  readonly tokens: PageTokens
  /** Sends one page's request to MLflow. */
  readonly send: (call: Call) => Promise<UpstreamResponse>
}

/** Most pages of MLflow that are read for one page of ours; a caller with few rows in very many gets a short page. */
export const MAX_FETCHES = 20
const LARGEST_FETCH = 5000

type PagedSpec = ListSpec & { readonly pages: 'token' }
type Page = {
  readonly answer: ListAnswer
  /** Row by row. */
  readonly visible: readonly boolean[]
}

/**
 * One page of a list as the caller may see it: rows that may not be read are left out, and their places are filled
 * from further pages, so that `max_results` keeps its meaning. There is a next page exactly if another readable row
 * is known to exist (or the limit of fetches was reached), so neither count nor token tells of hidden rows.
 *
 * @returns MLflow's own answer, if it was an error; else the page.
 * @throws {GatewayError} `ERR_INVALID_PARAMETER` for a page size or token that MLflow or we would not take.
 */
export async function listReadable(
  call: Call,
  spec: ListSpec,
  context: ListContext,
): Promise<UpstreamResponse> {
  if (spec.pages === 'none') return wholeReadable(await context.send(call), spec, context)
  const size = pageSize(call, spec)
  const sealedFor = tokenContext(call, context.caller.userId)
  let at = startOf(call, context.tokens, sealedFor)
  let fetchSize = seesAll(spec, context.caller) ? size : Math.min(firstFetch(spec.rows, size), spec.cap)
  const kept = new KeptRows()
  for (let fetches = 1; ; fetches++) {
    const response = await context.send(withPage(call, Math.max(fetchSize, at.skip + 1), at.token))
    if (response.status !== 200) return response
    const { answer, visible } = await readPage(response, spec, context)
    for (let index = at.skip; index < visible.length; index++) {
      if (visible[index] !== true) continue
      if (kept.count === size) {
        return pageOf(spec, kept, context.tokens.seal({ token: at.token, skip: index }, sealedFor))
      }
      kept.add(answer, index)
    }
    if (answer.next === '') return pageOf(spec, kept, undefined)
    at = { token: answer.next, skip: 0 }
    if (fetches === MAX_FETCHES || (kept.count === size && seesAll(spec, context.caller))) {
      return pageOf(spec, kept, context.tokens.seal(at, sealedFor))
    }
    fetchSize = Math.min(fetchSize * 2, Math.max(LARGEST_FETCH, size), spec.cap)
  }
}

/** A list that MLflow gives whole: the same answer without the rows that may not be read. */
async function wholeReadable(
  response: UpstreamResponse,
  spec: ListSpec,
  context: ListContext,
): Promise<UpstreamResponse> {
  if (response.status !== 200 || seesAll(spec, context.caller)) return response
  const { answer, visible } = await readPage(response, spec, context)
  const { bytes, list } = answer
  const isWhole = visible.length > 0 && visible.every((each) => each)
  if (list === undefined || isWhole) return response
  const kept = new KeptRows()
  for (const [index, isVisible] of visible.entries()) if (isVisible) kept.add(answer, index)
  const before = Buffer.concat([bytes.subarray(0, list.start), Buffer.from('[')])
  const after = Buffer.concat([Buffer.from(']'), bytes.subarray(list.end)])
  return { ...response, bytes: kept.between(before, after) }
}

function pageOf(spec: ListSpec, kept: KeptRows, next: string | undefined): UpstreamResponse {
  const hasList = kept.count > 0 || (spec.pages === 'token' && spec.keepsEmpty)
  const token = next === undefined ? '' : `"next_page_token":${JSON.stringify(next)}`
  const before = hasList ? `{${JSON.stringify(spec.field)}:[` : '{'
  const after = `${hasList ? (token === '' ? ']' : '],') : ''}${token}}`
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    bytes: kept.between(Buffer.from(before), Buffer.from(after)),
  }
}

function argument(call: Call, name: string): unknown {
  if (argsInQuery(call)) return call.query.get(name)?.[0]
  return call.body && (memberOf(call.body.value, name) ?? undefined)
}

function pageSize(call: Call, spec: PagedSpec): number {
  const given = argument(call, 'max_results')
  if (given === undefined && spec.defaultSize !== undefined) return spec.defaultSize
  const size = /^[1-9][0-9]{0,6}$/.test(String(given)) ? Number(given) : 0
  if (size < 1 || size > spec.cap) {
    throw new GatewayError(
      'ERR_INVALID_PARAMETER',
      `Invalid value for parameter 'max_results': a number from 1 to ${spec.cap} is expected`,
    )
  }
  return size
}

function startOf(call: Call, tokens: PageTokens, context: string): Position {
  const given = argument(call, 'page_token')
  if (given === undefined || given === '') return { token: '', skip: 0 }
  return tokens.open(String(given), context)
}

/** A token is good for the same caller asking the same question. */
function tokenContext(call: Call, userId: string): string {
  const args: Iterable<[string, unknown]> = argsInQuery(call)
    ? call.query
    : Object.entries(call.body?.value ?? {})
  const question = [...args]
    .map(([name, value]) => [jsonName(name), value] as const)
    .filter(([name]) => name !== 'maxResults' && name !== 'pageToken')
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify([call.operation.name, call.params, userId, question])
}

function withPage(call: Call, size: number, token: string): Call {
  if (argsInQuery(call)) {
    const query = new Map(call.query)
    query.delete('maxResults')
    query.delete('pageToken')
    query.set('max_results', [String(size)])
    if (token === '') query.delete('page_token')
    else query.set('page_token', [token])
    return { ...call, query }
  }
  const body = call.body ?? readJsonObject(Buffer.from('{}'))
  const sized = withChanges(call, body, [setField(body, 'max_results', String(size))])
  const next = sized.body ?? body
  return withChanges(sized, next, [setField(next, 'page_token', JSON.stringify(token))])
}

function seesAll({ rows }: ListSpec, { isAdmin, access }: ListContext['caller']): boolean {
  return isAdmin || seesAllRows(rows, access)
}

async function readPage(response: UpstreamResponse, spec: ListSpec, context: ListContext): Promise<Page> {
  const all = seesAll(spec, context.caller)
  const answer = readList(response.bytes, spec.field, all ? [] : ROWS[spec.rows].members)
  const visible = all ? answer.rows.map(() => true) : await readableOf(answer, spec, context)
  return { answer, visible }
}

/** Most rows that are asked about at once, where it takes a question to know what a row is. */
const AT_ONCE = 16

async function readableOf(
  { rows, row }: ListAnswer,
  spec: ListSpec,
  { caller, lookup, ownJobs }: ListContext,
): Promise<readonly boolean[]> {
  const own = spec.rows === 'job' ? await ownJobs?.() : undefined
  const { access, username, isMemberOf } = caller
  const ownsJob = (id: string) => own?.has(id) === true
  const reading = { access, username, isMemberOf, lookup, ownsJob }
  const readable: boolean[] = []
  let asked: Promise<void>[] = []
  for (let index = 0; index < rows.length; index++) {
    const known = isReadable(spec.rows, row(index), reading)
    if (typeof known === 'boolean') {
      readable[index] = known
      continue
    }
    readable[index] = false
    asked.push(
      known.then((found) => {
        readable[index] = found
      }),
    )
    if (asked.length < AT_ONCE) continue
    await Promise.all(asked)
    asked = []
  }
  await Promise.all(asked)
  return readable
}

import type { RawResponse } from './raw-request.ts'
import type { Member, MemberName } from './test-members.ts'

/** A request as it is to be spoken over the socket: nothing is encoded, tidied up or added but what is named here. */
export type Ask = {
  /** Default GET. */
  readonly method?: string
  /** The request target, byte for byte (latin1). */
  readonly target: string
  /** Whose access token goes into `Authorization: Bearer`; nobody's if absent. */
  readonly as?: MemberName | undefined
  /** As lines, `Name: value`. `Host` is there already unless one of these is. */
  readonly headers?: readonly string[]
  /** Sent as JSON with its Content-Type. */
  readonly json?: unknown
  /** Sent as it is, without a Content-Type; a string as UTF-8. */
  readonly body?: string | Buffer
  /** Sends the body in chunks instead of with a Content-Length. */
  readonly chunked?: boolean
}

/** The parts of an answer that tests look at. */
export type Answer = {
  readonly status: number
  readonly headers: RawResponse['headers']
  readonly rawHeaders: RawResponse['rawHeaders']
  readonly body: Buffer
  readonly text: string
  /** MLflow's `error_code` and `message`, empty if the body is no error of that form. */
  readonly code: string
  readonly message: string
}

export function bytesOf(ask: Ask, port: number, members: Readonly<Record<MemberName, Member>>): Buffer {
  const headers = [...(ask.headers ?? [])]
  if (!headers.some((line) => /^host:/i.test(line))) headers.unshift(`Host: 127.0.0.1:${port}`)
  if (ask.as !== undefined) headers.push(`Authorization: Bearer ${members[ask.as].token}`)
  if (ask.json !== undefined) headers.push('Content-Type: application/json')
  const body = Buffer.from(ask.json === undefined ? (ask.body ?? '') : JSON.stringify(ask.json))
  const hasBody = ask.json !== undefined || ask.body !== undefined
  if (hasBody) headers.push(ask.chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`)
  const head = `${ask.method ?? 'GET'} ${ask.target} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), ask.chunked ? inChunks(body) : body])
}

/** Two chunks, so that whoever reads just the first is found out. */
function inChunks(body: Buffer): Buffer {
  const half = Math.ceil(body.length / 2)
  const parts = [body.subarray(0, half), body.subarray(half)].filter((part) => part.length > 0)
  const chunks = parts.flatMap((part) => [
    Buffer.from(`${part.length.toString(16)}\r\n`),
    part,
    Buffer.from('\r\n'),
  ])
  return Buffer.concat([...chunks, Buffer.from('0\r\n\r\n')])
}

export function readAnswer({ status, headers, rawHeaders, body }: RawResponse): Answer {
  const text = body.toString('utf8')
  const { error_code: code = '', message = '' } = errorIn(text)
  return { status, headers, rawHeaders, body, text, code, message }
}

function errorIn(text: string): { error_code?: string; message?: string } {
  try {
    return JSON.parse(text) ?? {}
  } catch {
    return {}
  }
}

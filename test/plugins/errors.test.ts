import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clientErrorHandler, errors, frameworkErrors } from '../../plugins/errors.ts'
import { GatewayError } from '../../src/errors.ts'
import { rawExchange, rawRequest } from '../support/raw-request.ts'

const publicUrl = new URL('http://localhost:8080')
const ID = '01HZX3J8Q0G5T7W9Y1A2B3C4D5'
const SECRET = 'postgres://gateway:hunter2@10.0.0.7/db'

let app: FastifyInstance
let port: number
const logged: string[] = []

beforeAll(async () => {
  app = Fastify({
    genReqId: () => ID,
    frameworkErrors: frameworkErrors({ publicUrl }),
    clientErrorHandler: clientErrorHandler({ publicUrl }),
    logger: { level: 'error', stream: { write: (line: string) => void logged.push(line) } },
    bodyLimit: 100,
  })
  await app.register(errors, { publicUrl })
  app.decorate('identify', () => ({ principal: { username: 'ada' } }) as never)
  app.get('/refused', async () => {
    throw new GatewayError('ERR_NOT_FOUND', 'No experiment 2 that you may read', { reason: 'no_grant' })
  })
  app.get('/anonymous', async () => {
    throw new GatewayError('ERR_NO_CREDENTIAL', 'Set MLFLOW_TRACKING_TOKEN')
  })
  app.get('/broken', async () => {
    throw new Error(`connect ECONNREFUSED ${SECRET}`)
  })
  app.get('/not-an-error', async () => {
    throw 'a string'
  })
  app.get(
    '/typed/:n',
    { schema: { params: { type: 'object', properties: { n: { type: 'integer' } } } } },
    async () => 'ok',
  )
  app.post('/json', async () => 'ok')
  await app.listen({ port: 0, host: '127.0.0.1' })
  port = (app.server.address() as AddressInfo).port
})

afterAll(() => app.close())

async function send(head: string, headers = '', body = '') {
  const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`
  const response = await rawRequest(
    port,
    `${head} HTTP/1.1\r\nHost: localhost\r\n${headers}${length}Connection: close\r\n\r\n${body}`,
  )
  return { ...response, text: response.body.toString() }
}

describe('for programs', () => {
  it.each([
    [
      'a refusal',
      'GET /refused',
      '',
      '',
      404,
      'RESOURCE_DOES_NOT_EXIST',
      'No experiment 2 that you may read',
    ],
    ['no credential', 'GET /anonymous', '', '', 401, 'UNAUTHENTICATED', 'Set MLFLOW_TRACKING_TOKEN'],
    [
      'an unforeseen fault',
      'GET /broken',
      '',
      '',
      500,
      'INTERNAL_ERROR',
      'The gateway could not handle this request',
    ],
    [
      'a thrown string',
      'GET /not-an-error',
      '',
      '',
      500,
      'INTERNAL_ERROR',
      'The gateway could not handle this request',
    ],
    [
      'an unknown path',
      'GET /nope',
      '',
      '',
      404,
      'ENDPOINT_NOT_FOUND',
      'This address is not one the gateway serves',
    ],
    [
      'an unknown method',
      'DELETE /json',
      '',
      '',
      404,
      'ENDPOINT_NOT_FOUND',
      'This address is not one the gateway serves',
    ],
    [
      'an undecodable URL',
      'GET /%zz',
      '',
      '',
      400,
      'INVALID_PARAMETER_VALUE',
      'The address cannot be decoded',
    ],
    [
      'an over-long parameter',
      `GET /typed/${'9'.repeat(200)}`,
      '',
      '',
      400,
      'INVALID_PARAMETER_VALUE',
      'A part of the address is too long',
    ],
    [
      'a parameter of the wrong type',
      'GET /typed/x',
      '',
      '',
      400,
      'INVALID_PARAMETER_VALUE',
      'params/n must be integer',
    ],
    [
      'a large body',
      'POST /json',
      'Content-Type: application/json\r\n',
      `"${'x'.repeat(200)}"`,
      413,
      'REQUEST_LIMIT_EXCEEDED',
      'The body is larger than this address accepts',
    ],
    [
      'a body that is no JSON',
      'POST /json',
      'Content-Type: application/json\r\n',
      '{"hunter2',
      400,
      'INVALID_PARAMETER_VALUE',
      'The body is not valid JSON',
    ],
    [
      'an empty body',
      'POST /json',
      'Content-Type: application/json\r\nContent-Length: 0\r\n',
      '',
      400,
      'INVALID_PARAMETER_VALUE',
      'The body is empty; send a JSON object',
    ],
    [
      'an unknown content type',
      'POST /json',
      'Content-Type: application/xml\r\n',
      '<a/>',
      415,
      'INVALID_PARAMETER_VALUE',
      'This address does not accept that Content-Type',
    ],
  ])('%s', async (_, head, headers, body, status, code, message) => {
    const response = await send(head, headers, body)
    expect(response.status).toBe(status)
    expect(JSON.parse(response.text)).toEqual({ error_code: code, message: `${message} (request id ${ID})` })
    expect(response.headers['x-request-id']).toEqual([ID])
    expect(response.headers['cache-control']).toEqual(['no-store'])
    expect(response.headers['content-type']).toEqual(['application/json'])
    expect(response.text + JSON.stringify(response.rawHeaders)).not.toContain('hunter2')
  })

  it('never redirects, and challenges', async () => {
    const response = await send('GET /anonymous', 'Accept: */*\r\nUser-Agent: Mozilla/5.0\r\n')
    expect(response.headers['location']).toBeUndefined()
    expect(response.headers['www-authenticate']).toEqual(['Bearer realm="mlflow"'])
  })

  it('answers HEAD with the length of the GET and no byte more', async () => {
    for (const path of ['/refused', '/nope']) {
      const got = await send(`GET ${path}`)
      const head = await rawExchange(
        port,
        `HEAD ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
        { responses: 2 },
      )
      expect(head.received.subarray(-4).toString()).toBe('\r\n\r\n')
      expect(head.responses[0]?.status).toBe(404)
      expect(head.responses[0]?.headers['content-length']).toEqual(got.headers['content-length'])
    }
  })

  it('logs the cause of a fault of ours', () => {
    expect(logged.some((line) => line.includes('ECONNREFUSED'))).toBe(true)
    expect(logged.some((line) => line.includes('no_grant'))).toBe(false)
  })
})

describe('what is no HTTP request', () => {
  it.each([
    ['a bad request line', 'hunter2\r\n\r\n', 400, 'This is not a valid HTTP request'],
    [
      'two lengths',
      'POST /json HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      400,
      'This is not a valid HTTP request',
    ],
    [
      'a length and chunks',
      'POST /json HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
      'This is not a valid HTTP request',
    ],
    [
      'huge headers',
      `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
      'The headers are too large',
    ],
  ])('%s', async (_, bytes, status, message) => {
    const response = await rawRequest(port, bytes)
    expect(response.status).toBe(status)
    expect(JSON.parse(response.body.toString())).toEqual({ error_code: 'INVALID_PARAMETER_VALUE', message })
    expect(response.headers['connection']).toEqual(['close'])
  })
})

describe('for people', () => {
  const navigation = 'Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n'

  it('goes to the sign-in without a credential', async () => {
    const response = await send('GET /anonymous?a=b', navigation)
    expect(response.status).toBe(302)
    expect(response.headers['location']).toEqual(['/auth/login?return_to=%2Fanonymous%3Fa%3Db'])
  })

  it.each([
    ['GET /refused', 404, 'No experiment 2 that you may read.'],
    ['GET /nope', 404, 'This address is not one the gateway serves.'],
    ['GET /%zz', 400, 'The address cannot be decoded.'],
    ['GET /broken', 500, 'The gateway could not handle this request.'],
  ])('%s is a page', async (head, status, text) => {
    const response = await send(head, navigation)
    expect(response.status).toBe(status)
    expect(response.headers['content-type']).toEqual(['text/html; charset=utf-8'])
    expect(response.text).toContain(text)
    expect(response.text).toContain(ID)
    expect(response.text.includes('<dd>ada</dd>')).toBe(head === 'GET /refused')
  })
})

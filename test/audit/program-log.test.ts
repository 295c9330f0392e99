import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { loggedError, programLog, scrub } from '../../src/audit/program-log.ts'

const JWT = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl-_x'
const JWE = 'eyJhbGciOiJkaXIifQ..aXY.Y2lwaGVy.dGFn'

describe('scrub', () => {
  it.each([
    ['a JWT', `no ${JWT} here`, 'no [token] here'],
    ['a JWE', `no ${JWE} here`, 'no [token] here'],
    ['half a JWT', 'eyJhbGciOiJFUzI1NiJ9.eyJz', '[token]'],
    ['a bearer header', 'Authorization: Bearer abc.def~1', 'Authorization: Bearer [credential]'],
    ['a basic header', 'basic dXNlcjpwYXNz', 'basic [credential]'],
    ['a user in a URL', 'at postgres://gw:hunter2@db:5432/x', 'at postgres://[user]@db:5432/x'],
    [
      'a query',
      'GET https://op.example/cb?code=abc&state=d failed',
      'GET https://op.example/cb?[query] failed',
    ],
    ['plain words', 'the level is too low', 'the level is too low'],
  ])('%s', (_, text, scrubbed) => {
    expect(scrub(text)).toBe(scrubbed)
  })
})

describe('the log', () => {
  function logged(write: (log: pino.Logger) => void): string {
    const lines: string[] = []
    write(pino(programLog('trace'), { write: (line: string) => void lines.push(line) }))
    return lines.join('')
  }

  it('holds the path of a request but not its query', () => {
    const line = logged((log) =>
      log.info({
        req: {
          id: 'r1',
          method: 'GET',
          url: '/auth/callback/oidc?code=hunter2&state=x',
          headers: { cookie: 'hunter2' },
        },
      }),
    )
    expect(JSON.parse(line)).toMatchObject({ req: { id: 'r1', method: 'GET', path: '/auth/callback/oidc' } })
    expect(line).not.toContain('hunter2')
  })

  it('holds an error and its causes, but not what a library hung on them', () => {
    const cause = Object.assign(new Error(`bad ${JWT}`), {
      code: 'ERR_X',
      payload: { sub: 'hunter2' },
      response: 'hunter2',
    })
    const line = logged((log) => log.error(new Error('outer', { cause })))
    expect(JSON.parse(line)).toMatchObject({
      err: { type: 'Error', message: 'outer', cause: { code: 'ERR_X', message: 'bad [token]' } },
    })
    expect(line).not.toContain('hunter2')
    expect(line).not.toContain(JWT)
  })

  it('stays valid JSON whatever is taken out', () => {
    const message = `a "https://u:p@h/x?q=1" and 'https://h/?a\\' then\n"Bearer x" ${JWT}"`
    const line = logged((log) => log.error({ err: new Error(message) }, `msg ${message}`))
    expect(JSON.parse(line).msg).toContain('[token]"')
    expect(line).not.toMatch(/u:p|q=1/)
  })

  it('follows a circle of causes only so far', () => {
    const fault = new Error('a')
    fault.cause = fault
    expect(JSON.stringify(loggedError(fault)).match(/"message":"a"/g)).toHaveLength(6)
  })

  it('does not print a thrown value that is no error', () => {
    expect(JSON.stringify(loggedError('hunter2'))).not.toContain('hunter2')
  })
})

import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type CliFixture, cliFixture } from './run.ts'

const fixture = new URL('../fixtures/mlflow-3.17.2/routes.json', import.meta.url)
const { routes } = JSON.parse(readFileSync(fixture, 'utf8')) as {
  routes: readonly { readonly method: string; readonly path: string; readonly endpoint: string }[]
}
const served = routes.filter(({ endpoint }) => endpoint !== 'Mount')

let cli: CliFixture
beforeEach(async () => {
  cli = await cliFixture()
})
afterEach(() => cli.clean())

/** A program that says this, whatever script it is given. */
function pythonThatSays(text: string, exit = 0): string {
  const file = join(cli.folder, 'python')
  writeFileSync(join(cli.folder, 'said'), text)
  writeFileSync(file, `#!/bin/sh\n${exit ? 'exec >&2\n' : ''}cat '${cli.folder}/said'\nexit ${exit}\n`)
  chmodSync(file, 0o700)
  return file
}

const check = (python: string, ...options: readonly string[]) =>
  cli.run('catalogue', 'check', '--python', python, ...options)

describe('catalogue check', () => {
  it('exits with 0 when both are the same', async () => {
    const { code, out, err } = await check(
      pythonThatSays(JSON.stringify({ mlflow: '3.17.2', routes: served })),
    )
    expect([code, err]).toEqual([0, ''])
    expect(out).toContain('MLflow 3.17.2, a version that the catalogue knows.')
  })

  it('exits with 1 and names what would be refused, and what is gone', async () => {
    const teleport = { method: 'POST', path: '/api/3.0/mlflow/teleport', endpoint: 'beam_up' }
    const changed = [...served.filter(({ path }) => !path.endsWith('/runs/log-batch')), teleport]
    const python = pythonThatSays(JSON.stringify({ mlflow: '3.18.0', routes: changed }))
    const { code, out, err } = await check(python)
    expect([code, err]).toEqual([1, ''])
    expect(out).toContain('MLflow 3.18.0, not a version that the catalogue knows: judged as 3.17.2.')
    expect(out).toMatch(
      /refused to everybody by this gateway: 1\n.*\nPOST +\/api\/3\.0\/mlflow\/teleport +beam_up\n/,
    )
    expect(out).toMatch(/not served: 2\n/)
    const json = await check(python, '--json')
    expect(json.code).toBe(1)
    expect(JSON.parse(json.out)).toMatchObject({ version: '3.18.0', unknown: [teleport] })
  })

  it.each([
    ['there is no such program', () => '/nowhere/python', 'ENOENT'],
    [
      'there is no MLflow',
      () => pythonThatSays("ModuleNotFoundError: No module named 'mlflow'", 1),
      "No module named 'mlflow'",
    ],
    ['it says something else', () => pythonThatSays('hello'), 'JSON'],
  ])('exits with 2 when %s', async (_, python, reason) => {
    const { code, out, err } = await check(python())
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain(reason)
  })

  it('exits with 2 without a Python', async () => {
    expect(await cli.run('catalogue', 'check')).toMatchObject({ code: 2, out: '' })
  })
})

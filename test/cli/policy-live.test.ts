import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { headerValues, type RecordingUpstream, startUpstream } from '../support/upstream.ts'
import { type CliFixture, cliFixture } from './run.ts'

let cli: CliFixture
let upstream: RecordingUpstream
beforeAll(async () => {
  cli = await cliFixture()
  upstream = await startUpstream()
})
afterAll(async () => {
  await upstream.stop()
  await cli.clean()
})

const POLICY = `version: 1
roles:
  - name: team
    grants:
      - { experiment: { name: "alpha/*" }, level: EDIT }
      - { experiment: { name: "alfa/*" }, level: EDIT }
      - { experiment: { id: "7" }, level: READ }
      - { experiment: { id: "8" }, level: READ }
      - { registered_model: { name: "alpha-*" }, level: READ }
      - { registered_model: { name: "gone" }, level: READ }
      - { prompt: { name: "none-*" }, level: READ }
      - { experiment: "*", level: USE, expires: 2099-01-01 }
      - { run: "*", level: READ }
groups:
  known: [team]
  Known: [team]
users:
  ada: [team]
  bob: [team]
`

type Found = {
  readonly findings: readonly { line: number; place: string; problem: string; remedy: string }[]
}
const told = ({ findings }: Found) => findings.map(({ line, problem }) => `${line} ${problem}`)

let path: string
beforeEach(async () => {
  path = join(cli.folder, 'policy.yaml')
  writeFileSync(path, POLICY)
  cli.env = {
    ...cli.env,
    UPSTREAM_URL: upstream.url,
    OIDC_ISSUER: 'https://issuer.invalid',
    OIDC_GROUPS_CLAIM: 'groups',
  }
  upstream.forget()
  const page = (rows: string, first: string, second: string) => (request: { url: string }) => ({
    body: request.url.includes('page_token=next')
      ? { [rows]: [{ name: second }] }
      : { [rows]: [{ name: first }], next_page_token: 'next' },
  })
  upstream.script({
    'GET /api/2.0/mlflow/experiments/search': page('experiments', 'beta', 'alpha/one'),
    'GET /api/2.0/mlflow/registered-models/search': page('registered_models', 'beta', 'alpha-model'),
    'GET /api/2.0/mlflow/experiments/get': ({ url }) =>
      url.endsWith('=7')
        ? { body: { experiment: { experiment_id: '7', name: 'x' } } }
        : { status: 404, body: { error_code: 'RESOURCE_DOES_NOT_EXIST', message: '' } },
  })
  const store = await cli.store()
  const ada = {
    provider: 'oidc',
    issuer: 'https://issuer.invalid',
    subject: 'a',
    username: 'ada',
    groups: ['known'],
  }
  await store.people.signIn(ada)
  await store.close()
})

const UNMATCHED = [
  '6 matches nothing on the tracking server: EDIT on experiment named alfa/*',
  '8 matches nothing on the tracking server: READ on experiment 8',
  '10 matches nothing on the tracking server: READ on registered_model named gone',
]
const STRANGERS = [
  '16 is a group that nobody who has signed in is in',
  '19 is somebody who has never signed in',
]

describe('policy check --live', () => {
  it('names what nothing there is called, and whom nobody knows, with lines', async () => {
    const { out, err, code } = await cli.run('policy', 'check', path, '--live', '--json')
    expect(told(JSON.parse(out))).toEqual([...UNMATCHED, ...STRANGERS])
    expect(code).toBe(0)
    expect(err.trim().split('\n')).toEqual([
      'looked at 1 experiments',
      'looked at 2 experiments',
      'looked at 1 registered models',
      'looked at 2 registered models',
    ])
    expect(upstream.requests.every(({ method }) => method === 'GET')).toBe(true)
  })

  it('asks in the workspace that a role is of', async () => {
    cli.env = { ...cli.env, WORKSPACES: 'true' }
    writeFileSync(path, POLICY.replace('- name: team', '- name: team\n    workspace: team-a'))
    await cli.run('policy', 'check', path, '--live')
    const asked = new Set(
      upstream.requests.map((request) => headerValues(request, 'x-mlflow-workspace').join()),
    )
    expect(asked).toEqual(new Set(['team-a']))
  })

  it('fails if the tracking server gives no usable answer, rather than find nothing wrong', async () => {
    upstream.script({ '*': { status: 500 } })
    const { code, err } = await cli.run('policy', 'check', path, '--live')
    expect([code, err]).toEqual([1, expect.stringMatching(/error: /)])
  })

  it('gives up on patterns where there is no end of pages', async () => {
    upstream.script({
      '*': { body: { experiments: [{ name: 'x' }], registered_models: [], next_page_token: 'on' } },
      'GET /api/2.0/mlflow/experiments/get': { body: { experiment: { experiment_id: '7', name: 'x' } } },
    })
    const { err } = await cli.run('policy', 'check', path, '--live')
    expect(err).toContain('there are more experiments than are looked at')
    expect(upstream.requests.length).toBeLessThanOrEqual(205)
  })
})

describe('policy check', () => {
  it('asks nobody, and fails for a finding only if it must', async () => {
    writeFileSync(path, POLICY.replace('expires: 2099-01-01', 'expires: 2020-01-01'))
    const { out, code } = await cli.run('policy', 'check', path)
    expect([code, out]).toEqual([
      0,
      expect.stringContaining(
        '1 thing in it without effect:\n  line 12: roles[0].grants[7].expires has expired at 2020-01-02T00:00:00.000Z\n    Remove the grant, or give it another end.\n',
      ),
    ])
    expect((await cli.run('policy', 'check', path, '--strict')).code).toBe(1)
    expect(upstream.requests).toEqual([])
  })
})

describe('policy diff', () => {
  it('shows the same, and does without the tracking server', async () => {
    expect(told(await cli.json('policy', 'diff', path))).toEqual([...UNMATCHED, ...STRANGERS])
    upstream.script({ '*': { status: 500 } })
    const { out, err, code } = await cli.run('policy', 'diff', path)
    expect([code, err]).toEqual([0, expect.stringContaining('note: names were not looked up')])
    expect(out).toContain('2 things in it without effect')
    const { UPSTREAM_URL: _, ...env } = cli.env
    cli.env = env
    expect(told(await cli.json('policy', 'diff', path))).toEqual(STRANGERS)
  })
})

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { chained, testChain } from '../audit/test-chain.ts'
import { SECRET } from '../config/environment.ts'
import { type RecordingUpstream, startUpstream } from '../support/upstream.ts'
import { type CliFixture, cliFixture } from './run.ts'

let cli: CliFixture
let upstream: RecordingUpstream
beforeAll(async () => {
  cli = await cliFixture()
  upstream = await startUpstream({
    'GET /api/2.0/mlflow/experiments/get': { body: { experiment: { experiment_id: '7', name: 'alpha/x' } } },
  })
  cli.env = {
    ...cli.env,
    ...{ NODE_ENV: 'development', UPSTREAM_URL: upstream.url },
    ...{ OIDC_ISSUER: 'https://issuer.invalid', OIDC_CLIENT_ID: 'mlflow', GATEWAY_SECRET: SECRET },
  }
})
afterAll(async () => {
  await upstream.stop()
  await cli.clean()
})

it('tells what a file would allow and refuse, how often, and what is not judged', async () => {
  const store = await cli.store()
  const known = { provider: 'oidc', issuer: 'https://issuer.invalid', groups: [] }
  const ada = await store.people.signIn({ ...known, subject: 'a', username: 'ada' })
  const bob = await store.people.signIn({ ...known, subject: 'b', username: 'bob' })
  await store.roles.replacePolicy({
    roles: [
      { name: 'all', grants: [{ resourceType: 'experiment', match: 'any', pattern: '*', level: 'READ' }] },
    ],
    groups: [],
    users: [{ provider: 'oidc', name: 'bob', role: 'all' }],
  })
  const asked = [{ action: 'read', resource: { type: 'experiment', key: '7' } }]
  const of = (person: { id: string; username: string }, effect: string, minute: number) => ({
    ...{ at: `2026-11-20T09:0${minute}:00.000Z`, event: 'decision', operation: 'experiments.get', effect },
    ...{
      userId: person.id,
      username: person.username,
      ...(effect === 'deny' && { reason: 'no_grant' }),
      asked,
    },
  })
  const chain = testChain()
  const events = [
    ...[of(ada, 'deny', 1), of(ada, 'deny', 3), of(bob, 'allow', 2)],
    { ...of(ada, 'deny', 4), ...{ asked: undefined } },
  ]
  await store.audit.append(chain, chained(chain, events))
  await store.close()
  const path = join(cli.folder, 'policy.yaml')
  writeFileSync(
    path,
    'version: 1\nroles: [{ name: all, grants: [{ experiment: { name: "alpha/*" }, level: READ }] }]\nusers: { ada: [all] }\n',
  )
  const { out, err, code } = await cli.run('simulate', path)
  expect([err, code, out]).toEqual([
    '',
    0,
    `Of 4 decisions 3 would be another, 0 the same.
1 were not judged again: without what was asked on record, such as those of earlier versions.

WOULD BE  PERSON  OPERATION        ON                      TIMES  LAST              WHY
allowed   ada     experiments.get  experiment 7 (alpha/x)  2      2026-11-20T09:03  no_grant: asks for READ, has NO_PERMISSIONS
refused   bob     experiments.get  experiment 7            1      2026-11-20T09:02  no_grant: asks for READ, has NO_PERMISSIONS
`,
  ])
  expect((await cli.run('policy', 'export', '--only-policy')).out).toContain('bob: [ all ]')
  expect(await cli.json('simulate', path, '--last', '1')).toMatchObject({ decisions: 1, changes: [] })
  expect(await cli.json('simulate', path, '--since', '1h')).toMatchObject({ decisions: 0 })
  expect((await cli.run('simulate', path, '--last', '0')).code).toBe(2)
})

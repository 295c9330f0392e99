/**
 * Field report 99: what one member of a team makes the others see at once, because the team's role is on a pattern of
 * names, and creating something under a name is judged by that pattern too. Who leaves the group sees it no longer.
 */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

const MADE = { experiment_id: '900', name: 'alpha/n', lifecycle_stage: 'active', tags: [] }

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway({
    mlflow: {
      'POST /api/2.0/mlflow/experiments/create': { body: { experiment_id: MADE.experiment_id } },
      'GET /api/2.0/mlflow/experiments/get': { body: { experiment: MADE } },
    },
  })
  const { roles } = gateway.store
  const { id } = await roles.create({ name: 'alpha-people' })
  const grant = { resourceType: 'experiment', match: 'name', pattern: 'alpha/*', level: 'READ' } as const
  await roles.grant(id, { ...grant, source: 'manual' })
  await roles.mapGroup('oidc', 'alpha', id)
})
afterAll(() => gateway.stop())

/** As the provider tells it at the next sign-in. */
async function outsiderIsIn(groups: readonly string[]): Promise<void> {
  await gateway.store.people.signIn({
    ...{ provider: 'oidc', issuer: 'https://issuer.invalid', subject: 'subject-outsider' },
    ...{ username: 'outsider', groups },
  })
}

const read = async () =>
  (await gateway.ask({ target: '/api/2.0/mlflow/experiments/get?experiment_id=900', as: 'outsider' })).line
const create = (as: 'editor' | 'outsider') =>
  gateway.ask({ method: 'POST', target: '/api/2.0/mlflow/experiments/create', as, json: { name: 'alpha/n' } })

it('is there for the group as soon as it is made, and no longer than one is in the group', async () => {
  expect((await create('editor')).line).toBe('200 allow')
  expect(await read()).toBe('403 PERMISSION_DENIED no_grant')
  await outsiderIsIn(['alpha'])
  await expect.poll(read, { interval: 10, timeout: 1000 }).toBe('200 allow')
  // To see what the team makes is not to make things under its name.
  expect((await create('outsider')).status).toBe(403)
  await outsiderIsIn(['beta'])
  await expect.poll(read, { interval: 10, timeout: 1000 }).toBe('403 PERMISSION_DENIED no_grant')
})

import { rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

const PATH = join(tmpdir(), `policy-${process.pid}.yaml`)
const policy = (level: string) => `version: 1
roles:
  - name: written
    grants:
      - { experiment: { id: "1" }, level: ${level} }
users: { outsider: [written] }
`

let gateway: TestGateway
afterEach(async () => {
  await gateway.stop()
  rmSync(PATH, { force: true })
})

const update = () =>
  gateway.ask({
    ...{ method: 'POST', target: '/api/2.0/mlflow/experiments/set-experiment-tag', as: 'outsider' },
    json: { experiment_id: '1', key: 'k', value: 'v' },
  })
const readiness = async () => {
  const { status, text } = await gateway.ask({ target: '/readyz' })
  return [status, JSON.parse(text).parts.policy_file]
}

async function start(env: Readonly<Record<string, string>> = {}): Promise<void> {
  writeFileSync(PATH, policy('READ'))
  gateway = await startTestGateway({ env: { POLICY_FILE: PATH, METRICS_PORT: '0', ...env } })
}

async function metric(): Promise<string | undefined> {
  const { port } = gateway.app.metricsAddress() ?? {}
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  return /^gateway_policy_file_ok (\d)$/m.exec(text)?.[1]
}

it('follows the policy file while it runs, on record', async () => {
  await start()
  expect(
    (await gateway.ask({ target: '/api/2.0/mlflow/experiments/get?experiment_id=1', as: 'outsider' })).line,
  ).toBe('200 allow')
  expect((await update()).status).toBe(403)
  expect([await readiness(), await metric()]).toEqual([[200, { status: 'ok' }], '1'])
  writeFileSync(PATH, policy('MANAGE'))
  await vi.waitFor(async () => expect((await update()).line).toBe('200 allow'), { timeout: 5000 })
  const applied = {
    ...{ event: 'policy_applied', path: 'POLICY_FILE', provider: 'policy file' },
    resources: [{ type: 'policy_file', id: expect.stringMatching(/^[0-9a-f]{64}$/) }],
  }
  expect(gateway.events.filter(({ event }) => event === 'policy_applied')).toMatchObject([applied])
  // The first was at the start, before anybody listened here.
  await vi.waitFor(async () => {
    const kept = await gateway.store.audit.query({ limit: 100 })
    expect(kept.filter(({ event }) => event === 'policy_applied')).toMatchObject([applied, applied])
  })
})

it('goes on with what it had while the file is faulty or gone, and says so without its words', async () => {
  await start()
  writeFileSync(PATH, policy('secret-level'))
  const reason = expect.stringContaining('what it said before stays in force')
  await vi.waitFor(
    async () => expect(await readiness()).toEqual([200, { status: 'failed', reason, faults: 1, lines: [5] }]),
    { timeout: 5000 },
  )
  expect((await update()).status).toBe(403)
  expect((await gateway.ask({ target: '/readyz' })).text).not.toContain('secret-level')
  expect(await metric()).toBe('0')
  expect(gateway.log.filter((line) => line.includes('the policy file is not in force'))).toEqual([
    expect.stringContaining('line 5: roles[0].grants[0].level is not one of READ'),
  ])
  unlinkSync(PATH)
  await vi.waitFor(
    async () => expect(await readiness()).toMatchObject([200, { status: 'failed', lines: [] }]),
    { timeout: 5000 },
  )
  expect(await gateway.store.roles.policy()).toMatchObject({ roles: [{ name: 'written' }] })
})

it('leaves the file alone with POLICY_WATCH off', async () => {
  await start({ POLICY_WATCH: 'false' })
  writeFileSync(PATH, policy('MANAGE'))
  await new Promise((done) => setTimeout(done, 300))
  expect((await update()).status).toBe(403)
})

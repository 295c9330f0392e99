import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runPython } from '../support/python.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

/** What MLflow's client sends its artifacts with; an upload that is cut off raises, and counts as `cut off`. */
const SCRIPT = `
import collections, sys, requests
url, token, size, times = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
outcomes = collections.Counter()
for _ in range(times):
    try:
        answer = requests.put(url, data=bytes(size), headers={"Authorization": "Bearer " + token}, timeout=30)
        outcomes[answer.json()["error_code"]] += 1
    except requests.ConnectionError as fault:
        outcomes["cut off"] += 1
print(dict(outcomes))
`

const TIMES = 10

describe('field report 55: a script whose upload is refused is told why', () => {
  it.each([100, 64 * 2 ** 10, 400 * 2 ** 10, 8 * 2 ** 20])('%d bytes', async (size) => {
    const url = `${gateway.url}/api/2.0/mlflow-artifacts/artifacts/1/${'a'.repeat(32)}/artifacts/x`
    const args = [url, gateway.members.reader.token, String(size), String(TIMES)]
    const { stdout, stderr } = await runPython(SCRIPT, {}, { args })
    expect(stdout.trim(), stderr).toBe(`{'PERMISSION_DENIED': ${TIMES}}`)
    expect(gateway.forwarded()).toEqual([])
  })
})

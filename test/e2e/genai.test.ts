import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BUILT_IN_SCORERS } from '../../src/mlflow/built-in-scorers.ts'
import { ACCOUNTS, type Deployment, startDeployment } from '../support/deployment.ts'
import type { AccountName } from '../support/issuer.ts'
import { runPython } from '../support/python.ts'

/** Experiments and prompts by name, scorers all of them: an experiment that cannot be read shows none in a list. */
const grants = (level: string) =>
  ['experiment: { name: "alpha/*" }', 'prompt: { name: "alpha-*" }']
    .map((on) => `{ ${on}, level: ${level} }`)
    .concat('{ scorer: "*", level: READ }')
    .join(', ')
const POLICY = `version: 1
roles:
  - { name: alpha-editor, grants: [${grants('EDIT')}] }
  - { name: alpha-reader, grants: [${grants('READ')}] }
groups:
  alpha-editors: [alpha-editor]
  alpha-readers: [alpha-reader]
`

const dir = mkdtempSync(join(tmpdir(), 'gateway-genai-'))
let deployment: Deployment
const tokens = new Map<AccountName, string>()
let made: Readonly<Record<string, unknown>> & { readonly experiment_id: string; readonly dataset_id: string }

beforeAll(async () => {
  const policyFile = join(dir, 'policy.yaml')
  writeFileSync(policyFile, POLICY)
  deployment = await startDeployment({ policyFile, env: { AUDIT_STDOUT: 'false' } })
  for (const name of ACCOUNTS) {
    await deployment.signIn(name)
    tokens.set(name, await deployment.createToken(name))
  }
  made = await runScript('editor', 'make', 'alpha/genai')
}, 240_000)

afterAll(async () => {
  await deployment.stop()
  rmSync(dir, { recursive: true })
})

async function runScript(as: AccountName, ...args: readonly string[]) {
  const source = readFileSync(new URL('./scripts/genai.py', import.meta.url), 'utf8')
  const env = { MLFLOW_TRACKING_URI: deployment.gateway.url, MLFLOW_TRACKING_TOKEN: tokens.get(as) ?? '' }
  const result = await runPython(source, env, { args, timeoutMs: 120_000 })
  if (result.code !== 0) throw new Error(`genai.py ended with ${result.code}:\n${result.stderr}`)
  return JSON.parse(result.stdout.trim().split('\n').at(-1) ?? '')
}

const attempt = (as: AccountName) =>
  runScript(as, 'try', made.experiment_id, made.dataset_id, 'alpha-greeting')

async function get(as: AccountName, path: string) {
  const response = await fetch(`${deployment.gateway.url}${path}`, {
    headers: { authorization: `Bearer ${tokens.get(as)}` },
  })
  return response.json()
}

test('the editor makes datasets, scorers, prompts and evaluations with an unchanged client', () => {
  expect(made).toEqual({
    experiment_id: expect.stringMatching(/^\d+$/),
    dataset_id: expect.stringMatching(/^d-[0-9a-f]{32}$/),
    // Not the name of the system account that the script ran under.
    created_by: 'editor',
    tags: { kind: 'sums', stage: 'test', 'mlflow.user': 'editor' },
    found: [made.dataset_id],
    // Merged twice: MLflow tells records apart by their inputs, which must reach it as they were sent.
    records: 2,
    record_authors: ['editor'],
    large: ['1', '9007199254740993'],
    metrics: { 'exact/mean': 1 },
    run_id: expect.stringMatching(/^[0-9a-f]{32}$/),
    scorers: ['a/b é', 'relevance'],
    scorer: 'relevance',
    versions: 2,
    registered: 'relevance',
    prompt: 'Hello {{ name }}',
    prompt_version: 1,
  })
})

const WRITES = [
  ...['create_dataset', 'merge_records', 'set_tags', 'remove', 'delete_dataset', 'register', 'online'],
  ...['delete_version', 'delete_scorer'],
]
const REFUSED = { kind: 'RestException', code: 'PERMISSION_DENIED', message: expect.any(String) }

test('the reader reads all of it and changes nothing', async () => {
  expect(await attempt('reader')).toEqual({
    get_dataset: { ok: 'alpha-set' },
    records: { ok: 2 },
    search_datasets: { ok: ['alpha-set'] },
    list_scorers: { ok: ['a/b é', 'relevance'] },
    get_scorer: { ok: 'relevance' },
    get_odd_scorer: { ok: 'a/b é' },
    load_prompt: { ok: 'Hello {{ name }}' },
    ...Object.fromEntries(WRITES.map((name) => [name, REFUSED])),
  })
})

test('the outsider sees none of it', async () => {
  expect(await attempt('outsider')).toEqual({
    get_dataset: REFUSED,
    records: REFUSED,
    search_datasets: { ok: [] },
    list_scorers: REFUSED,
    get_scorer: REFUSED,
    get_odd_scorer: REFUSED,
    load_prompt: { kind: 'MlflowException', code: 'RESOURCE_DOES_NOT_EXIST', message: expect.any(String) },
    ...Object.fromEntries(WRITES.map((name) => [name, REFUSED])),
  })
})

test('the list of all scorers holds those that each may see', async () => {
  const listed = async (as: AccountName) => {
    const { scorers = [] } = (await get(as, '/api/3.0/mlflow/scorers/list')) as {
      scorers?: readonly { readonly scorer_name: string }[]
    }
    return scorers.map(({ scorer_name }) => scorer_name).sort()
  }
  expect(await listed('admin')).toEqual(['a/b é', 'relevance'])
  expect(await listed('editor')).toEqual(['a/b é', 'relevance'])
  expect(await listed('reader')).toEqual(['a/b é', 'relevance'])
  expect(await listed('outsider')).toEqual([])
})

test('the scorers that count as MLflow’s own are those that it makes without arguments', async () => {
  const { code, stdout } = await runPython(`
import json
from mlflow.genai.scorers import Scorer, builtin_scorers

def is_made(name):
    found = getattr(builtin_scorers, name)
    try:
        return isinstance(found, type) and issubclass(found, Scorer) and bool(found())
    except Exception:
        return False

print(json.dumps([name for name in dir(builtin_scorers) if name[0] != "_" and is_made(name)]))
`)
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toEqual([...BUILT_IN_SCORERS])
})

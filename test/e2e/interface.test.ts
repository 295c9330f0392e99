/**
 * MLflow's own interface in a browser, as an editor to whom half of what there is belongs: every page opens, no request
 * of it fails, and nothing of the other half is on the screen or in an answer.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launchChromium, openSignedIn, type Traffic, watchTraffic } from '../support/chromium.ts'
import { type Deployment, startDeployment } from '../support/deployment.ts'
import { runPython } from '../support/python.ts'

/** In the name, and in what is said in it, of everything that is somebody else's. */
const FOREIGN = /beta.secret/i

const TYPES = ['experiment', 'registered_model', 'prompt']
const POLICY = `version: 1
roles:
  - name: alpha
    grants:
${TYPES.flatMap((type) => ['alpha/*', 'alpha-*'].map((name) => `      - { ${type}: { name: "${name}" }, level: EDIT }`)).join('\n')}
      # Of those, the ones in experiments that may be read.
      - { scorer: "*", level: READ }
users:
  editor: [alpha]
`

/** Where pictures of the pages go, for whoever wants to look at them. */
const PICTURES = process.env['INTERFACE_PICTURES']

type Made = Readonly<Record<'experiment_id' | 'run_id' | 'model_id' | 'trace_id', string>>

let dir: string
let deployment: Deployment
let chromium: Browser
let context: BrowserContext
let page: Page
let traffic: Traffic
let own: Made
let foreign: Made
/** Answers in which something foreign is. */
const told: string[] = []
let ownDataset: string

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'gateway-interface-'))
  const policyFile = join(dir, 'policy.yaml')
  writeFileSync(policyFile, POLICY)
  ;[deployment, chromium] = await Promise.all([
    startDeployment({ policyFile, mlflow: { startTimeoutMs: 200_000 }, env: { AUDIT_STDOUT: 'false' } }),
    launchChromium(),
  ])
  ;[own, foreign] = await seed(deployment.mlflow?.url ?? '')
  await deployment.signIn('editor')
  context = await chromium.newContext({ viewport: { width: 1280, height: 800 } })
  page = await context.newPage()
  traffic = watchTraffic(page)
  page.on('response', (response) => {
    const { pathname } = new URL(response.url())
    if (pathname.startsWith('/static-files/')) return
    response.text().then(
      (text) => FOREIGN.test(text) && told.push(`${pathname}: ${FOREIGN.exec(text)?.input.slice(0, 300)}`),
      () => undefined,
    )
  })
  await openSignedIn(page, { gatewayUrl: deployment.gateway.url, name: 'editor' })
}, 300_000)

afterAll(async () => {
  await chromium?.close()
  await deployment?.stop()
  rmSync(dir, { recursive: true, force: true })
})

async function seed(url: string): Promise<[Made, Made]> {
  const script = readFileSync(new URL('./scripts/interface.py', import.meta.url), 'utf8')
  const args = ['alpha/one', 'alpha', 'beta/secret', 'beta-secret']
  const { code, stdout, stderr } = await runPython(
    script,
    { MLFLOW_TRACKING_URI: url },
    { args, timeoutMs: 250_000 },
  )
  if (code !== 0) throw new Error(`interface.py ended with ${code}:\n${stderr}`)
  const [first, second] = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as [Made, Made]
  ownDataset = await seedOver(url, 'alpha', first)
  await seedOver(url, 'beta-secret', second)
  return [first, second]
}

const SCORER = JSON.stringify({
  ...{ name: 'judge', aggregations: [], description: null, is_session_level_scorer: false },
  ...{ mlflow_version: '3.17.2', serialization_version: 1, call_source: null, call_signature: null },
  ...{ original_func_name: null, builtin_scorer_class: null, builtin_scorer_pydantic_data: null },
  instructions_judge_pydantic_data: { instructions: 'Is {{ outputs }} good?', model: 'openai:/gpt-x' },
})

/** What has no Python client, or a slow one. @returns The dataset's id. */
async function seedOver(url: string, prefix: string, { experiment_id }: Made): Promise<string> {
  const post = async (path: string, body: object) => {
    const response = await fetch(`${url}/api/3.0/mlflow/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as Record<string, Record<string, string>>
  }
  const { dataset } = await post('datasets/create', {
    name: `${prefix}-dataset`,
    experiment_ids: [experiment_id],
  })
  await post('scorers/register', {
    experiment_id,
    name: `${prefix}-judge`,
    serialized_scorer: SCORER.replace('"judge"', `"${prefix}-judge"`),
  })
  const key = { secret_name: `${prefix}-key`, secret_value: { api_key: 'none' }, provider: 'openai' }
  const { secret } = await post('gateway/secrets/create', key)
  const { model_definition } = await post('gateway/model-definitions/create', {
    ...{
      name: `${prefix}-definition`,
      secret_id: secret?.['secret_id'],
      provider: 'openai',
      model_name: 'gpt-x',
    },
  })
  await post('gateway/endpoints/create', {
    ...{ name: `${prefix}-endpoint`, experiment_id, usage_tracking: false },
    model_configs: [
      { model_definition_id: model_definition?.['model_definition_id'], linkage_type: 'PRIMARY', weight: 1 },
    ],
  })
  return dataset?.['dataset_id'] ?? ''
}

/** What browsers say of tables that are laid out in two steps, on MLflow without a gateway too. */
const EXPECTED = /ResizeObserver loop/

/** Opens a page of the interface, and gives what failed there and what of it is foreign. */
async function open(path: string, name: string, shows?: RegExp) {
  const [failed, errors, wasTold] = [traffic.failed.length, traffic.errors.length, told.length]
  await page.goto(`${deployment.gateway.url}/#${path}`)
  await traffic.settled()
  const text = await textOf(page, shows)
  if (PICTURES !== undefined) {
    mkdirSync(PICTURES, { recursive: true })
    await page.screenshot({ path: join(PICTURES, `${name}.png`) })
  }
  return {
    failed: traffic.failed.slice(failed),
    errors: traffic.errors.slice(errors).filter((each) => !EXPECTED.test(each)),
    told: told.slice(wasTold),
    foreign: FOREIGN.test(await page.content()),
    complaint:
      /Permission denied|PERMISSION_DENIED|Something went wrong|Page not found|Failed to|Error loading|An error occurred/i.exec(
        text,
      )?.[0],
    text,
  }
}

/** What the page says once nothing is under way any more and, if it ever comes to that, it shows what it should. */
async function textOf(page: Page, shows: RegExp = /./): Promise<string> {
  const deadline = Date.now() + 20_000
  for (;;) {
    await traffic.settled()
    const text = ((await page.locator('body').textContent()) ?? '').replace(/\s+/g, ' ')
    if (shows.test(text) || Date.now() > deadline) return text
    await page.waitForTimeout(100)
  }
}

const CLEAN = { failed: [], errors: [], told: [], foreign: false, complaint: undefined }

describe('every page opens for the editor, with nothing foreign', () => {
  const experiment = (below: string) => () => `/experiments/${own.experiment_id}${below}`
  /** What is on the page if it works. */
  const PAGES: readonly (readonly [name: string, path: () => string, shows: RegExp])[] = [
    ['home', () => '/', /alpha\/one/],
    ['experiments', () => '/experiments', /alpha\/one/],
    ['overview', experiment('/overview/usage'), /alpha\/one/],
    ['runs', experiment('/runs'), /alpha-first/],
    ['charts', experiment('/runs?compareRunsMode=CHART'), /loss/],
    ['run', () => `/experiments/${own.experiment_id}/runs/${own.run_id}`, /alpha-second/],
    ['run metrics', () => `/experiments/${own.experiment_id}/runs/${own.run_id}/model-metrics`, /loss/],
    ['run traces', () => `/experiments/${own.experiment_id}/runs/${own.run_id}/traces`, /alpha-second/],
    [
      'artifact',
      () => `/experiments/${own.experiment_id}/runs/${own.run_id}/artifacts/notes.txt`,
      /notes of alpha\/one/,
    ],
    ['traces', experiment('/traces'), /a question of alpha/],
    [
      'trace',
      () => `/experiments/${own.experiment_id}/traces?selectedEvaluationId=${own.trace_id}`,
      /alpha-span/,
    ],
    ['sessions', experiment('/chat-sessions'), /alpha\/one/],
    ['logged models', experiment('/models'), /alpha-logged/],
    ['logged model', () => `/experiments/${own.experiment_id}/models/${own.model_id}`, /alpha-logged/],
    ['evaluation runs', experiment('/evaluation-runs'), /alpha\/one/],
    ['datasets', experiment('/datasets'), /alpha-dataset/],
    ['dataset', () => `/experiments/${own.experiment_id}/datasets/${ownDataset}`, /alpha-dataset/],
    ['judges', experiment('/judges'), /alpha-judge/],
    ['review queue', experiment('/review-queue'), /alpha\/one/],
    ['playground', experiment('/playground'), /alpha\/one/],
    ['prompts of the experiment', experiment('/prompts'), /alpha\/one/],
    ['models', () => '/models', /alpha-model/],
    ['model', () => '/models/alpha-model', /Version 1/],
    ['version', () => '/models/alpha-model/versions/1', /alpha-model/],
    ['prompts', () => '/prompts', /alpha-prompt/],
    ['prompt', () => '/prompts/alpha-prompt', /about alpha/],
    ['gateway', () => '/gateway', /./],
    ['gateway usage', () => '/gateway/usage', /./],
    ['gateway budgets', () => '/gateway/budgets', /./],
    ['gateway keys', () => '/gateway/api-keys', /./],
    ['MCP registry', () => '/mcp-registry', /./],
    ['settings', () => '/settings', /./],
    ['account', () => '/account', /editor/],
  ]

  test.each(PAGES)('%s', async (name, path, shows) => {
    const { text, ...found } = await open(path(), name.replaceAll(' ', '-'), shows)
    expect({ ...found, text }).toMatchObject({ ...CLEAN, text: expect.stringMatching(shows) })
  })
})

describe('what is somebody else’s, by its address', () => {
  test.each([
    ['experiment', () => `/experiments/${foreign.experiment_id}/runs`],
    ['run', () => `/experiments/${foreign.experiment_id}/runs/${foreign.run_id}`],
    ['trace', () => `/experiments/${own.experiment_id}/traces?selectedEvaluationId=${foreign.trace_id}`],
    ['logged model', () => `/experiments/${own.experiment_id}/models/${foreign.model_id}`],
    ['model', () => '/models/beta-secret-model'],
    ['prompt', () => '/prompts/beta-secret-prompt'],
  ])('%s', async (name, path) => {
    const before = told.length
    await open(path(), `foreign-${name.replaceAll(' ', '-')}`)
    // A refusal repeats the name that was asked for, and nothing else.
    const more = told.slice(before).filter((each) => !/not found|Permission denied/.test(each))
    expect(more).toEqual([])
    expect(
      await page
        .getByText(/beta\/secret|beta-secret-(?:first|second|logged|span|dataset|judge)|about beta/)
        .count(),
    ).toBe(0)
  })
})

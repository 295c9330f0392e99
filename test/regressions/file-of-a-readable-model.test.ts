/**
 * The attack: more than the model. Who may read a registered model may read the files of its versions in an experiment
 * that is closed to them, so that `load_model` works; and tries from there: the file beside the model, the folder above
 * it, another spelling of the way there, another run, writing, or the model once its version is gone.
 */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { MODEL_B, RUN_A, RUN_B } from '../support/mlflow-stand-in.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

const API = '/api/2.0/mlflow'
const FILES = '/api/2.0/mlflow-artifacts/artifacts'
const ROOT = `2/${RUN_B}/artifacts/model`
const VERSION = { name: 'alpha-model', version: '1' }

/** An MLflow in which a version of alpha's model has its files in a run of beta's. */
const PUBLISHED = {
  [`GET ${API}/model-versions/search`]: { body: { model_versions: [VERSION] } },
  [`GET ${API}/model-versions/get-download-uri`]: { body: { artifact_uri: `mlflow-artifacts:/${ROOT}` } },
}

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway({ mlflow: PUBLISHED })
})
afterAll(() => gateway.stop())

it.each(['reader', 'editor', 'readonly'] as const)(
  'the files of the version, for %s, and on record whose they are',
  async (as) => {
    const file = await gateway.ask({ target: `${FILES}/${ROOT}/MLmodel`, as })
    const list = await gateway.ask({ target: `${FILES}?path=${encodeURIComponent(ROOT)}`, as })
    expect([file.line, list.line]).toEqual(['200 allow', '200 allow'])
    for (const { event } of [file, list]) {
      expect(event?.resources).toEqual([{ type: 'registered_model', id: 'alpha-model', name: 'alpha-model' }])
    }
  },
)

it.each([
  ['somebody without the model', 'outsider', 'GET', `/${ROOT}/MLmodel`],
  ['the file beside', 'reader', 'GET', `/2/${RUN_B}/artifacts/notes.txt`],
  ['a folder that begins alike', 'reader', 'GET', `/${ROOT}s/MLmodel`],
  ['the folder above', 'reader', 'GET', `?path=2/${RUN_B}/artifacts`],
  ['the run', 'reader', 'GET', `?path=2/${RUN_B}`],
  ['the experiment', 'reader', 'GET', '?path=2'],
  ['everything', 'reader', 'GET', ''],
  ['up and down again', 'reader', 'GET', `/${ROOT}/../notes.txt`],
  ['the same, encoded', 'reader', 'GET', `/${ROOT}/%2e%2e/notes.txt`],
  ['the same, encoded twice', 'reader', 'GET', `/${ROOT}/%252e%252e/notes.txt`],
  ['the same, in a list', 'reader', 'GET', `?path=${ROOT}/..`],
  ['the run of another experiment', 'reader', 'GET', `/2/${RUN_A}/artifacts/model/MLmodel`],
  ['a logged model', 'reader', 'GET', `/2/models/${MODEL_B}/artifacts/MLmodel`],
  ['writing', 'editor', 'PUT', `/${ROOT}/MLmodel`],
  ['deleting', 'editor', 'DELETE', `/${ROOT}/MLmodel`],
] as const)('not %s', async (_, as, method, path) => {
  const { status, event, reached } = await gateway.ask({ method, target: `${FILES}${path}`, as })
  expect([status === 403 || status === 400, event?.effect]).toEqual([true, 'deny'])
  expect(reached.filter((each) => each.includes('mlflow-artifacts'))).toEqual([])
})

it('not of a run by its id, nor the run itself', async () => {
  for (const target of [
    `/get-artifact?run_id=${RUN_B}&path=model/MLmodel`,
    `${API}/runs/get?run_id=${RUN_B}`,
  ]) {
    expect((await gateway.ask({ target, as: 'reader' })).line).toBe('403 PERMISSION_DENIED no_grant')
  }
})

it('not once the version was deleted here', async () => {
  const target = `${FILES}/${ROOT}/MLmodel`
  expect((await gateway.ask({ target, as: 'reader' })).line).toBe('200 allow')
  gateway.script({
    ...PUBLISHED,
    [`GET ${API}/model-versions/search`]: { body: {} },
    [`GET ${API}/model-versions/get-download-uri`]: { status: 404, body: {} },
  })
  const deleted = await gateway.ask({
    method: 'DELETE',
    target: `${API}/model-versions/delete`,
    json: VERSION,
    as: 'admin',
  })
  expect(deleted.status).toBe(200)
  expect((await gateway.ask({ target, as: 'reader' })).line).toBe('403 PERMISSION_DENIED no_grant')
})

import { describe, expect, it } from 'vitest'
import { operationNamed } from '../../src/mlflow/catalogue.ts'
import { locate } from '../../src/mlflow/locators.ts'
import { withPath } from '../../src/mlflow/published.ts'
import { decide, metBy } from '../../src/policy/decide.ts'
import type { Grant } from '../../src/policy/grants.ts'
import { accessWith, callFor, grant, lookupIn, type World } from './examples.ts'

const RUN = 'b'.repeat(32)
const MODEL = `m-${'b'.repeat(32)}`
const OF_RUN = `2/${RUN}/artifacts`
const OF_MODEL = `2/models/${MODEL}/artifacts`

const READS_MODEL = grant('registered_model', 'exact', 'published', 'READ')

/** Experiment 2 with a run and a logged model, and versions that are said to be made of them, with their files there. */
function worldWith(files: Readonly<Record<string, string>>, more: World = {}): World {
  const versions = Object.keys(files).map((key) => {
    const [name = '', version = ''] = key.split('/')
    return { name, version }
  })
  return {
    experiments: { '1': { name: 'alpha/one' }, '2': { name: 'beta/secret' } },
    runs: { [RUN]: '2' },
    models: { [MODEL]: '2' },
    registry: { published: 'registered_model', other: 'registered_model', prompt: 'prompt' },
    about: {
      versions_of_run: { [RUN]: versions },
      versions_of_model: { [MODEL]: versions },
      version_files: Object.fromEntries(Object.entries(files).map(([key, uri]) => [key, { uri }])),
    },
    ...more,
  }
}

type Asking = { readonly path: string; readonly operation?: string; readonly grants?: readonly Grant[] }

/** How the request for a path ends, by whom it was allowed, and what MLflow was asked. */
async function judged(
  world: World,
  { path, operation = 'artifacts.download', grants = [READS_MODEL] }: Asking,
) {
  const lookup = lookupIn(world)
  const access = accessWith(grants)
  const call =
    operation === 'artifacts.list'
      ? callFor(operation, { query: `path=${path}` })
      : callFor(operation, { path: { artifact_path: path } })
  const demands = await locate(call, { lookup, access, holding: access, operationNamed })
  const decision = decide(demands, access)
  if (decision.effect === 'deny') return { outcome: decision.reason, asked: lookup.asked }
  const outcome = metBy(demands, access).map(({ resource }) => `${resource.type} ${resource.key}`)
  return { outcome, asked: lookup.asked }
}

const AT_RUN = worldWith({ 'published/1': `mlflow-artifacts:/${OF_RUN}/model` })

describe('the files of a version that one may read, in an experiment that one may not', () => {
  it.each([
    ['mlflow-artifacts:/', OF_RUN, `mlflow-artifacts:/${OF_RUN}/model`],
    ['a slash at the end', OF_RUN, `mlflow-artifacts:/${OF_RUN}/model/`],
    ['runs:/', OF_RUN, `runs:/${RUN}/model`],
    ['a logged model', OF_MODEL, `mlflow-artifacts:/${OF_MODEL}/model`],
  ])('%s: at the place and below, and nowhere else', async (_, root, uri) => {
    const world = worldWith({ 'published/1': uri })
    const read = async (path: string, operation?: string) =>
      (await judged(world, { path, ...(operation && { operation }) })).outcome
    for (const operation of ['artifacts.download', 'artifacts.list', 'artifacts.get_presigned']) {
      for (const below of ['', '/MLmodel', '/a/b/c.bin']) {
        expect(await read(`${root}/model${below}`, operation)).toEqual(['registered_model published'])
      }
      for (const beside of ['', '/modelx', '/mode', '/notes.txt', '/Model/MLmodel']) {
        expect(await read(`${root}${beside}`, operation)).toBe('no_grant')
      }
    }
    for (const operation of ['artifacts.upload', 'artifacts.delete', 'artifacts.create_multipart_upload']) {
      expect(await read(`${root}/model/MLmodel`, operation)).toBe('no_grant')
    }
  })

  it.each([
    ['the experiment', '2'],
    ['the folder of the run', `2/${RUN}`],
    ['another run of the experiment', `2/${'c'.repeat(32)}/artifacts/model/MLmodel`],
    ['the folder of all models', '2/models'],
    ['the folder of a model', `2/models/${MODEL}`],
    ['another model', `2/models/m-${'c'.repeat(32)}/artifacts/MLmodel`],
    ['traces', '2/traces/tr-1/artifacts/traces.json'],
    ['the run in another experiment', `1/${RUN}/artifacts/model/MLmodel`],
    ['the model as if it were a run', `2/${MODEL}/artifacts/MLmodel`],
  ])('not %s', async (_, path) => {
    const everywhere = worldWith({
      'published/1': `mlflow-artifacts:/${OF_RUN}/model`,
      'published/2': 'mlflow-artifacts:/2',
    })
    expect((await judged(everywhere, { path })).outcome).toBe('no_grant')
  })

  it.each([
    ['above the run', `mlflow-artifacts:/2/${RUN}`],
    ['the experiment', 'mlflow-artifacts:/2'],
    ['everything', 'mlflow-artifacts:/'],
    ['with dots', `mlflow-artifacts:/${OF_RUN}/model/..`],
    ['encoded', `mlflow-artifacts:/${OF_RUN}/mod%65l`],
    ['on another server', `mlflow-artifacts://elsewhere/${OF_RUN}/model`],
    ['in a bucket', `s3://bucket/${OF_RUN}/model`],
    ['another run', `runs:/${'c'.repeat(32)}/model`],
    ['the whole run, without a path', `runs:/${RUN}`],
    ['a sibling', `mlflow-artifacts:/${OF_RUN}/model2`],
    ['nothing', ''],
  ])('not where MLflow has the files %s', async (_, uri) => {
    const world = worldWith({ 'published/1': uri })
    expect((await judged(world, { path: `${OF_RUN}/model/MLmodel` })).outcome).toBe('no_grant')
  })
})

describe('whose right it is', () => {
  const path = `${OF_RUN}/model/MLmodel`
  const all = (level: 'READ' | 'DENY') => grant('registered_model', 'any', '*', level)
  const onTwo = (level: 'READ' | 'DENY') => grant('experiment', 'exact', '2', level)
  const versions = (level: 'READ' | 'DENY') => grant('registered_model_version', 'any', '*', level)
  const runs = grant('run', 'any', '*', 'DENY')

  it.each([
    ['by name', [grant('registered_model', 'name', 'publ*', 'READ')], ['registered_model published']],
    ['on all models', [all('READ')], ['registered_model published']],
    ['on another model', [grant('registered_model', 'exact', 'other', 'MANAGE')], 'no_grant'],
    ['on a prompt of that name', [grant('prompt', 'exact', 'published', 'MANAGE')], 'no_grant'],
    [
      'denied on the model',
      [all('READ'), grant('registered_model', 'exact', 'published', 'DENY')],
      'no_grant',
    ],
    ['denied on versions', [READS_MODEL, versions('DENY')], 'no_grant'],
    ['on versions alone', [versions('READ')], 'no_grant'],
    ['denied on the experiment', [READS_MODEL, onTwo('DENY')], 'explicit_deny'],
    ['denied on runs', [READS_MODEL, onTwo('READ'), runs], 'explicit_deny'],
    ['on the experiment too', [READS_MODEL, onTwo('READ')], ['experiment 2']],
  ] as const)('%s', async (_, grants, expected) => {
    expect((await judged(AT_RUN, { path, grants })).outcome).toEqual(expected)
  })

  it('any of several models is enough', async () => {
    const uri = `mlflow-artifacts:/${OF_RUN}/model`
    const world = worldWith({ 'other/3': uri, 'published/1': `${uri}2`, 'published/2': uri })
    expect((await judged(world, { path })).outcome).toEqual(['registered_model published'])
  })

  it('a name that MLflow has under another spelling, or a prompt, gives nothing', async () => {
    const uri = `mlflow-artifacts:/${OF_RUN}/model`
    const grants = [all('READ')]
    expect((await judged(worldWith({ 'prompt/1': uri }), { path, grants })).outcome).toBe('no_grant')
    expect((await judged(worldWith({ 'Published/1': uri }), { path, grants })).outcome).toBe('no_grant')
  })
})

describe('what MLflow is asked', () => {
  const path = `${OF_RUN}/model/MLmodel`
  it.each([
    [
      'nothing more where the experiment allows',
      [READS_MODEL, grant('experiment', 'exact', '2', 'READ')],
      [],
    ],
    ['nothing more where it is denied', [READS_MODEL, grant('experiment', 'exact', '2', 'DENY')], []],
    ['nothing more for whoever holds no model', [grant('experiment', 'exact', '1', 'EDIT')], []],
    [
      'nothing more for whoever is denied every model',
      [READS_MODEL, grant('registered_model', 'any', '*', 'DENY')],
      [],
    ],
    [
      'of models that may be read only',
      [grant('registered_model', 'exact', 'other', 'READ')],
      [`run ${RUN}`, `versions_of_run ${RUN}`],
    ],
    [
      'where the files are',
      [READS_MODEL],
      [`run ${RUN}`, `versions_of_run ${RUN}`, 'registry published', 'version_files published/1'],
    ],
  ])('%s', async (_, grants, expected) => {
    const { asked } = await judged(AT_RUN, { path, grants })
    expect(asked).toEqual(['experiment 2', ...expected])
  })

  it('nothing of a run that does not exist, or above the files of any', async () => {
    expect((await judged(AT_RUN, { path: `2/${'c'.repeat(32)}/artifacts/x` })).asked).toEqual([
      'experiment 2',
      `run ${'c'.repeat(32)}`,
    ])
    expect((await judged(AT_RUN, { path: `2/${RUN}` })).asked).toEqual(['experiment 2'])
  })
})

describe('where the files of a version are said to be', () => {
  const raw = `runs:/${RUN}/model`
  const path = `mlflow-artifacts:/${OF_RUN}/model`
  const of2 = (level: 'READ' | 'DENY') => grant('experiment', 'exact', '2', level)
  it.each([
    ['a path, to whoever may not ask about the run', raw, [], path],
    ['the run, to whoever may', raw, [of2('READ')], raw],
    ['the run, to whoever is denied it', raw, [of2('DENY')], raw],
    ['as it is, of no run', 'mlflow-artifacts:/2/x', [], 'mlflow-artifacts:/2/x'],
    ['as it is, of a run that does not exist', 'runs:/none/model', [], 'runs:/none/model'],
    ['as it is, where it climbs', `runs:/${RUN}/../x`, [], `runs:/${RUN}/../x`],
    ['as it is, without a path', `runs:/${RUN}`, [], `runs:/${RUN}`],
  ])('%s', async (_, uri, grants, expected) => {
    const bytes = Buffer.from(JSON.stringify({ artifact_uri: uri, other: 1 }))
    const asking = { lookup: lookupIn(AT_RUN), access: accessWith([READS_MODEL, ...grants]) }
    const answer = await withPath({ status: 200, headers: {}, bytes }, 'artifact_uri', asking)
    expect(JSON.parse(answer.bytes.toString())).toEqual({ artifact_uri: expected, other: 1 })
  })
})

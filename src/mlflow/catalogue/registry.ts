import { PROMPT_TAG } from '../lookup.ts'
import type { Effect, Operation } from '../operation.ts'
import {
  adminTag,
  create,
  loggedModel,
  modelSource,
  notDenied,
  read,
  registeredModel,
  registeredModelName,
  registeredModelNewName,
  remove,
  row,
  run,
  SIGNED_IN,
  update,
  withAll,
} from '../row.ts'
import { parseSelector } from '../selector.ts'
import { originsOfVersion, versionsOfModel } from './siblings.ts'

const MODEL = registeredModel('name')
const VERSION = { tier: 'version' } as const
const hidden = (name: string): string => `Registered Model with name=${name} not found`

/** Whose files they are that lie in a run or a logged model may have changed. */
const forgetVersions: readonly Effect[] = [
  { kind: 'forget_answers', about: 'versions_of_run' },
  { kind: 'forget_answers', about: 'versions_of_model' },
  { kind: 'forget_answers', about: 'version_files' },
]

/** Versions of readable models may come from runs that are not: a search must not tell them apart by those. */
const SEARCHED = [read(run('filter:filter|order_by#run_id?'))]

/** The tag that makes a registered model a prompt: who sets it moves a thing between the grants of two types. */
const keepsKind = { rules: [adminTag('key', PROMPT_TAG)] }

/** Registered models, their versions, aliases and tags; prompts share these routes under a type of their own. */
export const REGISTRY: readonly Operation[] = [
  // registered model
  row(
    'registered_models.create',
    'POST',
    '2.0/mlflow/registered-models/create',
    create(registeredModelName('name')),
    {
      effects: [{ kind: 'grant_creator', type: 'registry', at: ['registered_model', 'name'] }],
    },
  ),
  row('registered_models.get', 'GET', '2.0/mlflow/registered-models/get', read(MODEL), {
    hidden,
    withhold: versionsOfModel('registered_model'),
  }),
  row('registered_models.search', 'GET', '2.0/mlflow/registered-models/search', SIGNED_IN, {
    repeated: ['order_by'],
    list: { field: 'registered_models', rows: 'registry', pages: 'token', defaultSize: 100, cap: 1000 },
    withhold: versionsOfModel('registered_models[]'),
  }),
  row('registered_models.update', 'PATCH', '2.0/mlflow/registered-models/update', update(MODEL), {
    withhold: versionsOfModel('registered_model'),
  }),
  row(
    'registered_models.rename',
    'POST',
    '2.0/mlflow/registered-models/rename',
    [update(MODEL), create(registeredModelNewName('new_name'))],
    {
      effects: [
        { kind: 'rename_model', from: parseSelector('name'), to: parseSelector('new_name') },
        ...forgetVersions,
      ],
      withhold: versionsOfModel('registered_model'),
    },
  ),
  row(
    'registered_models.delete',
    'DELETE',
    '2.0/mlflow/registered-models/delete',
    withAll(remove(MODEL), 'version'),
    {
      effects: [{ kind: 'delete_model', selector: parseSelector('name') }, ...forgetVersions],
    },
  ),
  row('registered_models.set_tag', 'POST', '2.0/mlflow/registered-models/set-tag', update(MODEL), keepsKind),
  row(
    'registered_models.delete_tag',
    'DELETE',
    '2.0/mlflow/registered-models/delete-tag',
    update(MODEL),
    keepsKind,
  ),
  row(
    'registered_models.get_latest_versions',
    'GET|POST',
    '2.0/mlflow/registered-models/get-latest-versions',
    read(MODEL, VERSION),
    {
      repeated: ['stages'],
      withhold: originsOfVersion('model_versions[]'),
    },
  ),
  row('registered_models.get_alias', 'GET', '2.0/mlflow/registered-models/alias', read(MODEL, VERSION), {
    withhold: originsOfVersion('model_version'),
  }),
  row('registered_models.set_alias', 'POST', '2.0/mlflow/registered-models/alias', [
    update(MODEL),
    read(MODEL, VERSION),
  ]),
  row('registered_models.delete_alias', 'DELETE', '2.0/mlflow/registered-models/alias', [
    remove(MODEL),
    read(MODEL, VERSION),
  ]),

  // model version
  row(
    'model_versions.create',
    'POST',
    '2.0/mlflow/model-versions/create',
    [
      update(MODEL),
      notDenied(MODEL, 'version'),
      // Its files become readable under the model's name (CVE-2026-69148): all they come from must be readable.
      read(modelSource('source?')),
      read(run('run_id??')),
      read(loggedModel('model_id??')),
    ],
    { withhold: originsOfVersion('model_version') },
  ),
  row('model_versions.get', 'GET', '2.0/mlflow/model-versions/get', read(MODEL, VERSION), {
    withhold: originsOfVersion('model_version'),
  }),
  row('model_versions.search', 'GET', '2.0/mlflow/model-versions/search', [SIGNED_IN, ...SEARCHED], {
    repeated: ['order_by'],
    list: { field: 'model_versions', rows: 'version', pages: 'token', defaultSize: 10_000, cap: 200_000 },
    withhold: originsOfVersion('model_versions[]'),
  }),
  row(
    'model_versions.get_download_uri',
    'GET',
    '2.0/mlflow/model-versions/get-download-uri',
    read(MODEL, VERSION),
    { filesAt: 'artifact_uri' },
  ),
  row('model_versions.update', 'PATCH', '2.0/mlflow/model-versions/update', update(MODEL, VERSION), {
    withhold: originsOfVersion('model_version'),
  }),
  row(
    'model_versions.transition_stage',
    'POST',
    '2.0/mlflow/model-versions/transition-stage',
    update(MODEL, VERSION),
    { withhold: originsOfVersion('model_version') },
  ),
  row('model_versions.delete', 'DELETE', '2.0/mlflow/model-versions/delete', remove(MODEL, VERSION), {
    effects: forgetVersions,
  }),
  row(
    'model_versions.set_tag',
    'POST',
    '2.0/mlflow/model-versions/set-tag',
    update(MODEL, VERSION),
    keepsKind,
  ),
  row(
    'model_versions.delete_tag',
    'DELETE',
    '2.0/mlflow/model-versions/delete-tag',
    remove(MODEL, VERSION),
    keepsKind,
  ),
]

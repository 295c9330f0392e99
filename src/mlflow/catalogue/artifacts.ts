import type { Operation } from '../operation.ts'
import {
  artifactPath,
  loggedModel,
  onlyIf,
  plainPath,
  plainSegment,
  read,
  refuseField,
  registeredModel,
  remove,
  row,
  run,
  update,
} from '../row.ts'

const AT_PATH = artifactPath('path:artifact_path')
/** Reading; a path can also be a registered model's. */
const PUBLISHED = { published: true } as const
const FILES = '2.0/mlflow-artifacts/artifacts'
const SERVED = { onArtifactServer: true } as const

/** Files of runs and models: through MLflow's artifact proxy, by run, and by model version. */
export const ARTIFACTS: readonly Operation[] = [
  row('artifacts.download', 'GET', `${FILES}/<path:artifact_path>`, read(AT_PATH, PUBLISHED), {
    ...SERVED,
    untrusted: true,
  }),
  row('artifacts.upload', 'PUT', `${FILES}/<path:artifact_path>`, update(AT_PATH), {
    ...SERVED,
    body: 'stream',
  }),
  row('artifacts.delete', 'DELETE', `${FILES}/<path:artifact_path>`, remove(AT_PATH), SERVED),
  row('artifacts.list', 'GET', FILES, read(artifactPath('path?'), PUBLISHED), SERVED),

  row(
    'artifacts.create_multipart_upload',
    'POST',
    '2.0/mlflow-artifacts/mpu/create/<path:artifact_path>',
    update(AT_PATH),
    {
      ...SERVED,
      // The object written is the route's path joined with this one.
      rules: [plainSegment('path')],
    },
  ),
  row(
    'artifacts.complete_multipart_upload',
    'POST',
    '2.0/mlflow-artifacts/mpu/complete/<path:artifact_path>',
    update(AT_PATH),
    {
      ...SERVED,
      rules: [plainSegment('path')],
    },
  ),
  row(
    'artifacts.abort_multipart_upload',
    'POST',
    '2.0/mlflow-artifacts/mpu/abort/<path:artifact_path>',
    update(AT_PATH),
    {
      ...SERVED,
      rules: [plainSegment('path')],
    },
  ),

  // A presigned URL goes around the gateway and outlives a revocation, so it is off unless the operator says otherwise.
  row(
    'artifacts.get_presigned',
    'GET',
    '2.0/mlflow-artifacts/presigned/<path:artifact_path>',
    read(AT_PATH, PUBLISHED),
    { ...SERVED, since: '3.17.2', rules: [onlyIf('presignedUrls')] },
  ),
  row(
    'artifacts.create_presigned_download',
    'POST',
    '2.0/mlflow/artifacts/presigned-download-url',
    read(run('run_id')),
    { since: '3.17.2', rules: [onlyIf('presignedUrls')] },
  ),
  row(
    'artifacts.create_presigned_upload',
    'POST',
    '2.0/mlflow/artifacts/presigned-upload-url',
    [update(run('run_id?')), update(loggedModel('model_id?'))],
    { since: '3.17.2', rules: [onlyIf('presignedUrls')] },
  ),

  row('artifacts.get_of_run', 'GET', '/get-artifact', read(run('run_id|run_uuid')), {
    untrusted: true,
    rules: [plainPath('path')],
  }),
  row('artifacts.upload_to_run', 'POST', 'ajax:2.0/mlflow/upload-artifact', update(run('query:run_uuid')), {
    body: 'stream',
    rules: [
      refuseField('query:run_id?', 'name the run as run_uuid, the only field MLflow reads here'),
      plainPath('path'),
    ],
  }),
  row(
    'artifacts.get_of_version',
    'GET',
    '/model-versions/get-artifact',
    read(registeredModel('name'), { tier: 'version' }),
    {
      untrusted: true,
      rules: [plainPath('path')],
    },
  ),
]

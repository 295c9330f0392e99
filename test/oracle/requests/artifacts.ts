import type { Template, Templates } from '../request.ts'

const file: Template = ({ it }) => ({
  params: { artifact_path: `${it.experiment}/${it.run}/artifacts/file.txt` },
})
const upload: Template = (context) => ({ ...file(context), body: 'content' })
const part = { upload_id: 'x' }

/** Files: those of the store by their path, and those of a run, a model version or a trace. */
export const ARTIFACTS: Templates = {
  AbortMultipartUpload: (context) => ({ ...file(context), json: { path: 'file.txt', ...part } }),
  CompleteMultipartUpload: (context) => ({
    ...file(context),
    json: { path: 'file.txt', ...part, parts: [] },
  }),
  CreateMultipartUpload: (context) => ({ ...file(context), json: { path: 'file.txt', num_parts: 1 } }),
  CreatePresignedDownloadUrl: ({ it }) => ({ json: { run_id: it.run, path: 'file.txt' } }),
  CreatePresignedUploadUrl: ({ it }) => ({ json: { run_id: it.run, path: 'new.txt' } }),
  'CreatePresignedUploadUrl/of a model': ({ it }) => ({
    json: { model_id: it.loggedModel, path: 'new.txt' },
  }),
  DeleteArtifact: file,
  'DeleteArtifact/a whole run': ({ it }) => ({ params: { artifact_path: `${it.experiment}/${it.run}` } }),
  "DeleteArtifact/an experiment's": ({ it }) => ({ params: { artifact_path: it.experiment } }),
  DownloadArtifact: file,
  download_artifact: file,
  'download_artifact/of a model': ({ it }) => ({
    params: { artifact_path: `${it.experiment}/models/${it.loggedModel}/artifacts/MLmodel` },
  }),
  'download_artifact/of a trace': ({ it }) => ({
    params: { artifact_path: `${it.experiment}/traces/${it.trace}/artifacts/traces.json` },
  }),
  GetPresignedDownloadUrl: file,
  'ListArtifacts@proxy': ({ it }) => ({ query: { path: `${it.experiment}/${it.run}/artifacts` } }),
  "ListArtifacts@proxy/an experiment's": ({ it }) => ({ query: { path: it.experiment } }),
  'ListArtifacts@proxy/everything': () => ({}),
  UploadArtifact: upload,
  upload_artifact: upload,
  'upload_artifact/of a model': ({ it }) => ({
    params: { artifact_path: `${it.experiment}/models/${it.loggedModel}/artifacts/new` },
    body: 'content',
  }),
  'upload_artifact/of a trace': ({ it }) => ({
    params: { artifact_path: `${it.experiment}/traces/${it.trace}/artifacts/new` },
    body: 'content',
  }),
  serve_artifacts: ({ it }) => ({ query: { run_id: it.run, path: 'file.txt' } }),
  serve_model_version_artifact: ({ it }) => ({ query: { name: it.model, version: '1', path: 'file.txt' } }),
  serve_upload_artifact: ({ it }) => ({ query: { run_uuid: it.run, path: 'new.txt' }, body: 'content' }),
  serve_get_trace_artifact: ({ it }) => ({ query: { request_id: it.trace } }),
}

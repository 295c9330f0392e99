import type { Difference } from './comparison.ts'

/** Why the gateway is stricter than MLflow's own auth app somewhere. There is no other kind of reason. */
export type Reason = {
  /** Operations of MLflow's, each with all of its variants or as `Operation/variant`. */
  readonly of: readonly string[]
  /** What the gateway puts on record; absent where both answer and the gateway tells of fewer rows. */
  readonly recorded?: string
  /** What MLflow's own app does. */
  readonly mlflow: string
  /** What the gateway does. */
  readonly gateway: string
  readonly because: string
}

const ASSISTANT = [
  ...['install_skills_endpoint', 'list_provider_models', 'patch_session', 'provider_health_check'],
  ...['resolve_client_tool_result', 'resolve_permission', 'send_message', 'stream_response', 'update_config'],
]

const PRESIGNED = ['CreatePresignedDownloadUrl', 'CreatePresignedUploadUrl', 'GetPresignedDownloadUrl']

export const REASONS: readonly Reason[] = [
  {
    of: ['CreateExperiment', 'CreateRegisteredModel'],
    recorded: 'no_grant',
    mlflow: 'anybody who has signed in may create',
    gateway: 'asks for EDIT on the name of what is created',
    because: 'a name may be covered by grants of others, and who makes a thing manages it',
  },
  {
    of: ['UpdateExperiment'],
    recorded: 'no_grant',
    mlflow: 'whoever may edit an experiment may give it any name',
    gateway: 'asks for EDIT on the new name too',
    because: 'grants speak of names: a rename could carry the experiment under the grants of others',
  },
  {
    of: PRESIGNED,
    recorded: 'switched_off',
    mlflow: 'gives URLs of the object store',
    gateway: 'refuses everybody unless PRESIGNED_URLS is set',
    because: 'such a URL goes round the gateway and outlives a revocation',
  },
  {
    of: ASSISTANT,
    recorded: 'admin_only',
    mlflow: 'anybody who has signed in, from the host itself',
    gateway: 'administrators only, and switched off',
    because:
      'it runs programs and writes files on the host of the server; behind a proxy every request comes from the host',
  },
  {
    of: ASSISTANT,
    recorded: 'switched_off',
    mlflow: 'anybody who has signed in, from the host itself',
    gateway: 'switched off, for administrators too',
    because:
      'it runs programs and writes files on the host of the server; behind a proxy every request comes from the host',
  },
  {
    of: ['SearchDatasets', 'GetOnlineTraceDetails', 'SearchUnifiedTraces', 'static'],
    recorded: 'no_such_route',
    mlflow: 'answers 404 to an administrator, or serves the page a second time',
    gateway: 'has no such route',
    because: 'no client asks for them',
  },
  {
    of: ["LinkPromptsToTrace/another's prompt"],
    recorded: 'no_grant',
    mlflow: 'does not look at the prompts',
    gateway: 'asks for READ on each prompt that is linked',
    because: 'whoever may not read a prompt should not learn by a link whether it exists',
  },
  {
    of: ["StartTraceV3/over another's trace", "export_traces/into another's trace"],
    recorded: 'no_grant',
    mlflow: 'looks at the experiment that is named only',
    gateway: 'asks for EDIT on the experiment that the trace is in, too',
    because: 'an id that exists would move the trace, or write into it, wherever it is',
  },
  {
    of: ['_graphql/versions'],
    recorded: 'ERR_AMBIGUOUS_REQUEST',
    mlflow: 'answers with the versions that may be read',
    gateway: 'does not serve this field',
    because: 'the interface asks for versions by another route',
  },
  {
    of: ['CreateDataset/in none'],
    recorded: 'ERR_INVALID_PARAMETER',
    mlflow: 'lets an administrator create a dataset in no experiment',
    gateway: 'asks for an experiment',
    because: 'nobody but administrators could read it',
  },
]

/** The reason for a difference; none covers leniency, nor another answer. */
export function reasonFor(difference: Difference): Reason | undefined {
  const { kind, operation, variant, recorded } = difference
  if (kind !== 'stricter') return undefined
  return REASONS.find((reason) => {
    const named = reason.of.some((name) => name === operation || name === `${operation}/${variant}`)
    return named && reason.recorded === recorded
  })
}

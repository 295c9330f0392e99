import type { Difference } from './comparison.ts'

/** Why the gateway is stricter than MLflow's own auth app somewhere. There is no other kind of reason. */
export type Reason = {
  /** Operations of MLflow's, each with all of its variants or as `Operation/variant`. */
  readonly of: readonly string[]
  /** What the gateway puts on record, one of these; absent where both answer and the gateway tells of fewer rows. */
  readonly recorded?: readonly string[]
  /** What MLflow's own app does. */
  readonly mlflow: string
  /** What the gateway does. */
  readonly gateway: string
  readonly because: string
}

/** The caller's grants do not reach. */
const GRANTS = ['no_grant', 'level_too_low', 'explicit_deny']

export const REASONS: readonly Reason[] = [
  {
    of: [
      ...['CreateExperiment', 'CreateRegisteredModel', 'CreateGatewaySecret', 'CreateGatewayModelDefinition'],
      ...['CreateGatewayEndpoint', 'create_mcp_server', 'create_mcp_server_version/of a new server'],
      '_generate_demo',
    ],
    recorded: GRANTS,
    mlflow: 'anybody who has signed in may create, unless all of the type are denied',
    gateway: 'asks for EDIT on the name of what is created',
    because: 'grants speak of names, and a name that is free may be covered by those of others',
  },
  {
    of: [
      ...['UpdateExperiment', 'RenameRegisteredModel', 'RenameRegisteredModel/a prompt'],
      'UpdateGatewayEndpoint',
    ],
    recorded: GRANTS,
    mlflow: 'whoever may edit a thing may give it any name',
    gateway: 'asks for EDIT on the new name too',
    because:
      'grants speak of names: a rename could carry the thing under the grants of others, or out from under a DENY',
  },
  {
    of: ['CreatePresignedDownloadUrl', 'CreatePresignedUploadUrl', 'GetPresignedDownloadUrl'],
    recorded: ['switched_off'],
    mlflow: 'gives URLs of the object store',
    gateway: 'refuses everybody unless it is switched on',
    because: 'such a URL goes round the gateway and outlives a revocation',
  },
  {
    of: [
      ...['install_skills_endpoint', 'list_provider_models', 'patch_session', 'provider_health_check'],
      ...[
        'resolve_client_tool_result',
        'resolve_permission',
        'send_message',
        'stream_response',
        'update_config',
      ],
    ],
    recorded: ['admin_only', 'switched_off'],
    mlflow: 'anybody who has signed in, if the request comes from the host itself',
    gateway: 'administrators only, and they too only if it is switched on',
    because:
      'it runs programs and writes files on the host of the server, and with a gateway on that host every request comes from there',
  },
  {
    of: ['SearchDatasets', 'GetOnlineTraceDetails', 'SearchUnifiedTraces', 'static'],
    recorded: ['no_such_route'],
    mlflow: 'answers 404 to an administrator, or serves the page at a second address',
    gateway: 'has no such route',
    because: 'no client asks for them',
  },
  {
    of: ['LinkPromptsToTrace'],
    recorded: GRANTS,
    mlflow: 'does not look at the prompts',
    gateway: 'asks for READ on each prompt that is linked',
    because: 'a link that is made tells that the prompt is there',
  },
  {
    of: ["StartTraceV3/over another's trace", "export_traces/into another's trace"],
    recorded: GRANTS,
    mlflow: 'looks at the experiment that is named only',
    gateway: 'asks for EDIT on the experiment that the trace is in, too',
    because: 'an id that exists moves the trace, or is written into, wherever it is',
  },
  {
    of: ['_graphql/versions'],
    recorded: ['ERR_AMBIGUOUS_REQUEST'],
    mlflow: 'answers with the versions that may be read',
    gateway: 'does not serve this field',
    because: 'the interface asks for versions at another address',
  },
  {
    of: ['CreateDataset/in none'],
    recorded: ['ERR_INVALID_PARAMETER'],
    mlflow: 'lets an administrator create a dataset in no experiment',
    gateway: 'asks for an experiment',
    because: 'a dataset is judged by the experiments it is in',
  },
  {
    of: ['AddGuardrailToEndpoint', 'UpdateEndpointGuardrailConfig'],
    recorded: GRANTS,
    mlflow: 'asks that no grant denies the scorer of the guardrail',
    gateway: 'asks for READ on the experiment that the scorer is in',
    because: 'the scorer is run on what passes the endpoint',
  },
  {
    of: ['CreateGatewayEndpointBinding'],
    recorded: ['admin_only', ...GRANTS],
    mlflow: 'does not look at what the endpoint is bound to',
    gateway: 'asks for EDIT on that as well, and is for administrators where it is not known',
    because: "a binding makes another person's scorer call the endpoint",
  },
  {
    of: ['CreatePromptOptimizationJob'],
    recorded: GRANTS,
    mlflow: 'asks that no grant denies the prompt and the scorers',
    gateway: 'asks for READ on them',
    because: 'the job reads them in the name of nobody, and its run tells what they say',
  },
  {
    of: ['_invoke_scorer_handler/a registered one', '_upsert_online_scoring_config'],
    recorded: GRANTS,
    mlflow: 'asks that no grant denies the scorer, or for the experiment alone',
    gateway: 'asks for the right on the scorer, too',
    because: 'the scorer is run, and what it does is told by its results',
  },
  {
    of: ['_invoke_issue_detection_handler/by an endpoint'],
    recorded: GRANTS,
    mlflow: 'takes the name of the endpoint for its id, and so looks at none',
    gateway: 'asks for USE on the endpoint',
    because: 'the job calls the endpoint with the key that is stored there',
  },
  {
    of: ['GetGatewayEndpoint', 'ListGatewayEndpoints', 'UpdateGatewayEndpoint/its models'],
    mlflow: 'withholds model definitions and secrets from whom a grant denies them',
    gateway: 'withholds them from whoever may not read them',
    because: 'to name a secret is to tell of it',
  },
  {
    of: ['GetGatewayModelDefinition', 'ListGatewayModelDefinitions', 'UpdateGatewayModelDefinition'],
    mlflow: 'withholds the secret from whom a grant denies it',
    gateway: 'withholds it from whoever may not read it',
    because: 'to name a secret is to tell of it',
  },
  {
    of: ['ListGatewayEndpoints/of a secret', 'ListGatewayModelDefinitions/of a secret'],
    recorded: GRANTS,
    mlflow: 'asks that no grant denies the secret, or nothing',
    gateway: 'asks for READ on the secret that is named',
    because: 'the answer tells which things use it',
  },
  {
    of: ['openai_passthrough_responses_compact'],
    recorded: GRANTS,
    mlflow: 'asks for nothing: the check of its neighbours does not know this path',
    gateway: 'asks for USE on the endpoint',
    because: 'it is a call with the key that is stored there',
  },
  {
    of: ['raw_proxy'],
    recorded: GRANTS,
    mlflow: 'asks for USE on the endpoint',
    gateway: 'asks for MANAGE',
    because: 'it sends anything to any address of the provider with the key that is stored there',
  },
  {
    of: ['ListGatewayBudgetWindows'],
    mlflow: 'tells everybody what was spent',
    gateway: 'tells administrators; everybody else gets an empty list',
    because: 'it is what everybody else has spent',
  },
  {
    of: ['serve_gateway_proxy'],
    recorded: ['admin_only'],
    mlflow: 'lets everybody send anything',
    gateway: 'lets administrators; everybody may ask which endpoints there are',
    because: 'it goes to whatever the server is set up to call, and nothing says whose that is',
  },
  {
    of: ['submit_job'],
    recorded: ['admin_only'],
    mlflow: 'lets everybody start any job with any parameters',
    gateway: 'lets administrators',
    because: 'the parameters name things, and users, that nobody has judged',
  },
  {
    of: ['CreateWebhook'],
    recorded: ['url_not_allowed'],
    mlflow: 'lets an administrator send events to any address, as far as it is not a private one',
    gateway: 'to those hosts only that the configuration names',
    because: 'the server itself sends them, from inside its network',
  },
  {
    of: ['RemoveDatasetFromExperiments'],
    recorded: ['level_too_low'],
    mlflow: 'asks for EDIT on the experiments of the dataset',
    gateway: 'asks for MANAGE if the dataset is left in no experiment',
    because: 'nobody but administrators can read it then, so it is a deletion',
  },
  {
    of: ['AddItemsToReviewQueue', 'CreateIssue/from a run'],
    recorded: ['explicit_deny'],
    mlflow: 'does not look at the trace or the run that is named',
    gateway: 'asks for READ on it, which a grant on all traces or runs denies here',
    because: 'what is named becomes part of what others read',
  },
  {
    of: ["ListArtifacts@proxy/an experiment's"],
    recorded: ['explicit_deny'],
    mlflow: 'leaves out the folders of what is denied',
    gateway: 'refuses',
    because: 'the folder of an experiment names its runs, models and traces alike',
  },
  {
    of: ['_graphql/datasets', 'serve_search_datasets'],
    recorded: ['explicit_deny'],
    mlflow: 'looks at the experiment alone',
    gateway: 'refuses whom a grant denies all runs',
    because: 'the answer is what the runs have taken in',
  },
  {
    of: ['serve_search_datasets'],
    mlflow: 'looks at the experiment alone',
    gateway: 'shows nothing to whom a grant denies all runs',
    because: 'the answer is what the runs have taken in',
  },
]

/** The reason for a difference; none covers leniency, nor another answer. */
export function reasonFor(difference: Difference): Reason | undefined {
  const { kind, operation, variant, recorded } = difference
  if (kind !== 'stricter') return undefined
  return REASONS.find((reason) => {
    const named = reason.of.some((name) => name === operation || name === `${operation}/${variant}`)
    return named && (recorded === undefined ? !reason.recorded : reason.recorded?.includes(recorded) === true)
  })
}

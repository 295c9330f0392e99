import { API, type Attacks } from './attack.ts'

export const IDENTITY: Attacks = {
  of: '§7, identity and headers',
  attacks: [
    [
      'a job of any kind (CVE-2026-0545)',
      () => ({ method: 'POST', target: '/ajax-api/3.0/jobs/', json: { job_name: 'x', params: {} } }),
      '403 PERMISSION_DENIED admin_only',
      undefined,
    ],
    [
      'jobs of everybody',
      () => ({ method: 'POST', target: '/ajax-api/3.0/jobs/search', json: {} }),
      '200 allow',
      '200',
    ],
    [
      'the assistant, as if from the server itself',
      () => ({
        method: 'PUT',
        target: '/ajax-api/3.0/mlflow/assistant/config',
        headers: ['X-Forwarded-For: 127.0.0.1'],
        json: { projects: {} },
      }),
      '403 PERMISSION_DENIED admin_only',
      undefined,
    ],
    [
      'any address through the AI gateway',
      () => ({
        method: 'POST',
        target: '/gateway/proxy/x/http://169.254.169.254/',
        headers: ['X-MLflow-Guardrail-Bypass: 1'],
        json: {},
      }),
      '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
      undefined,
    ],
    [
      'a scorer as somebody else',
      ({ B }) => ({
        method: 'POST',
        target: '/ajax-api/3.0/mlflow/scorer/invoke',
        json: { experiment_id: B.experiment, trace_ids: [B.trace], serialized_scorer: '{}' },
      }),
      '403 PERMISSION_DENIED no_grant',
      undefined,
    ],
    [
      'another method than the one that is judged',
      ({ B }) => ({
        method: 'POST',
        target: `${API}/experiments/get?experiment_id=${B.experiment}`,
        headers: ['X-HTTP-Method-Override: GET'],
      }),
      '404 ENDPOINT_NOT_FOUND no_such_route',
      '405',
    ],
    [
      'another address than the one that is judged',
      ({ B }) => ({
        target: `/health`,
        headers: [
          `X-Original-URL: ${API}/experiments/get?experiment_id=${B.experiment}`,
          `X-Forwarded-Uri: ${API}/experiments/get?experiment_id=${B.experiment}`,
        ],
      }),
      '200 allow',
      '200',
    ],
  ],
}

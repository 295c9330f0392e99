import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Ids, startWorld, tenantsSeenIn, type World } from '../support/parser/world.ts'
import { rawExchange } from '../support/raw-request.ts'
import { type Ask, bytesOf } from '../support/spoken-request.ts'

/**
 * The attacks: what MLflow's HTTP surface offers somebody who may do everything in one experiment (A) and nothing in
 * another (B), line by line: spellings that two parsers read differently, files by their paths, operations that reach
 * from one thing to another, headers, workspaces. Traces and jobs open to everybody (CVE-2025-15381, CVE-2026-0545,
 * CVE-2026-2652), artifacts beside the rules (CVE-2025-14297) and borrowed sources (CVE-2026-69148) are among them.
 *
 * Each is sent over a raw socket to the gateway in front of a real MLflow, and to that MLflow itself, which shows that
 * it is an attack: what B holds must neither change nor be seen through the gateway.
 */
const API = '/api/2.0/mlflow'
const FILES = '/api/2.0/mlflow-artifacts/artifacts'
const JSON_TYPE = 'Content-Type: application/json'

type Things = { readonly A: Ids['alpha']; readonly B: Ids['beta'] }
type Attack = readonly [
  what: string,
  ask: (things: Things) => Ask,
  /** Status, MLflow's error code, and the reason on record. */
  gateway: string,
  /** What MLflow does by itself: the status, whether B's content was seen, whether B's or the server's state changed. */
  mlflow: string | undefined,
]

const COUNT = {
  ...{ view_type: 'TRACES', metric_name: 'trace_count', dimensions: ['trace_name'] },
  aggregations: [{ aggregation_type: 'COUNT' }],
}

function locationOf(experiment_id: string) {
  return { type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id } }
}

function traceOf(trace_id: string, experiment_id: string) {
  const times = { request_time: '2026-01-01T00:00:00Z', execution_duration: '1s', state: 'OK' }
  return { trace: { trace_info: { trace_id, trace_location: locationOf(experiment_id), ...times } } }
}

function spansOf(trace: string) {
  const span = {
    ...{ traceId: trace.slice('tr-'.length), spanId: '1234567890abcdef', name: 's' },
    ...{ startTimeUnixNano: '1700000000000000000', endTimeUnixNano: '1700000001000000000' },
  }
  return { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }
}

const ATTACKS: readonly { readonly of: string; readonly attacks: readonly Attack[] }[] = [
  {
    of: '§2, path',
    attacks: [
      [
        'two slashes in front',
        ({ B }) => ({ target: `/${API}/experiments/get?experiment_id=${B.experiment}` }),
        '404 ENDPOINT_NOT_FOUND no_such_route',
        '200 seen',
      ],
      [
        'two slashes inside',
        ({ B }) => ({ target: `/api/2.0//mlflow/experiments/get?experiment_id=${B.experiment}` }),
        '404 ENDPOINT_NOT_FOUND no_such_route',
        '308',
      ],
      [
        'an escaped slash',
        ({ B }) => ({ target: `${API}/experiments%2Fget?experiment_id=${B.experiment}` }),
        '404 ENDPOINT_NOT_FOUND no_such_route',
        '200 seen',
      ],
      [
        'an escaped letter',
        ({ B }) => ({ target: `${API}/experiments/%67et?experiment_id=${B.experiment}` }),
        '404 ENDPOINT_NOT_FOUND no_such_route',
        '200 seen',
      ],
      [
        'an escaped digit',
        ({ B }) => ({ target: `/api/%32.0/mlflow/experiments/get?experiment_id=${B.experiment}` }),
        '404 ENDPOINT_NOT_FOUND no_such_route',
        '200 seen',
      ],
      [
        'a letter escaped twice',
        ({ B }) => ({ target: `${API}/experiments/%2567et?experiment_id=${B.experiment}` }),
        '404 ENDPOINT_NOT_FOUND no_such_route',
        '404',
      ],
      [
        'a slash at the end',
        ({ B }) => ({ target: `${API}/runs/get/?run_id=${B.run}` }),
        '404 ENDPOINT_NOT_FOUND no_such_route',
        '404',
      ],
      [
        'a dot segment',
        ({ B }) => ({ target: `${API}/./experiments/get?experiment_id=${B.experiment}` }),
        '404 ENDPOINT_NOT_FOUND no_such_route',
        '404',
      ],
      [
        'a segment and back',
        ({ B }) => ({ target: `${API}/x/../experiments/get?experiment_id=${B.experiment}` }),
        '404 ENDPOINT_NOT_FOUND no_such_route',
        '404',
      ],
      [
        'a path parameter',
        ({ B }) => ({ target: `${API}/experiments/get;x=1?experiment_id=${B.experiment}` }),
        '404 ENDPOINT_NOT_FOUND no_such_route',
        '404',
      ],
      [
        'an escaped NUL',
        ({ B }) => ({ target: `${API}/experiments/get%00?experiment_id=${B.experiment}` }),
        '404 ENDPOINT_NOT_FOUND no_such_route',
        '404',
      ],
      [
        'an escaped blank',
        ({ B }) => ({ target: `${API}/experiments/get%20?experiment_id=${B.experiment}` }),
        '404 ENDPOINT_NOT_FOUND no_such_route',
        '404',
      ],
      [
        'a backslash',
        ({ B }) => ({ target: `${API}/experiments\\get?experiment_id=${B.experiment}` }),
        '404 ENDPOINT_NOT_FOUND no_such_route',
        '404',
      ],
      [
        'upper case',
        ({ B }) => ({ target: `${API}/Experiments/get?experiment_id=${B.experiment}` }),
        '404 ENDPOINT_NOT_FOUND no_such_route',
        '404',
      ],
      [
        'an absolute target',
        ({ B }) => ({ target: `http://127.0.0.1${API}/experiments/get?experiment_id=${B.experiment}` }),
        '400 INVALID_PARAMETER_VALUE -',
        '404',
      ],
      [
        'a method in lower case',
        ({ B }) => ({ method: 'get', target: `${API}/experiments/get?experiment_id=${B.experiment}` }),
        '400 INVALID_PARAMETER_VALUE -',
        '200 seen',
      ],
      [
        'a trace under an older prefix',
        ({ B }) => ({
          method: 'PATCH',
          target: `/api/2.0/mlflow/traces/${B.trace}/tags`,
          json: { key: 'k', value: 'v' },
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 changed',
      ],
    ],
  },
  {
    of: '§2, HEAD, OPTIONS and TRACE',
    attacks: [
      [
        "HEAD of somebody else's file",
        ({ B }) => ({ method: 'HEAD', target: `${FILES}/${B.artifact}` }),
        '403  no_grant',
        '200',
      ],
      [
        'HEAD of an experiment',
        ({ B }) => ({ method: 'HEAD', target: `${API}/experiments/get?experiment_id=${B.experiment}` }),
        '403  no_grant',
        '400',
      ],
      [
        'HEAD with the id in a body',
        ({ B }) => ({
          method: 'HEAD',
          target: `${API}/experiments/get`,
          json: { experiment_id: B.experiment },
        }),
        '400  ERR_AMBIGUOUS_REQUEST',
        '200',
      ],
      [
        'OPTIONS',
        ({ B }) => ({ method: 'OPTIONS', target: `${API}/experiments/get?experiment_id=${B.experiment}` }),
        '404 ENDPOINT_NOT_FOUND no_such_route',
        '204',
      ],
      [
        'TRACE',
        ({ B }) => ({ method: 'TRACE', target: `${API}/experiments/get?experiment_id=${B.experiment}` }),
        '404 ENDPOINT_NOT_FOUND no_such_route',
        '405',
      ],
    ],
  },
  {
    of: '§2, query and body',
    attacks: [
      [
        'a field twice, of which the first counts',
        ({ A, B }) => ({
          target: `${API}/experiments/get?experiment_id=${B.experiment}&experiment_id=${A.experiment}`,
        }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200 seen',
      ],
      [
        'a field twice, of which the last does not',
        ({ A, B }) => ({
          target: `${API}/experiments/get?experiment_id=${A.experiment}&experiment_id=${B.experiment}`,
        }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200',
      ],
      [
        'a GET with a body instead of a query',
        ({ B }) => ({ target: `${API}/runs/get`, json: { run_id: B.run } }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200 seen',
      ],
      [
        'a GET with a body and a bare question mark',
        ({ B }) => ({ target: `${API}/runs/get?&`, json: { run_id: B.run } }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200 seen',
      ],
      [
        'a GET with a body of any type',
        ({ B }) => ({ target: `${API}/runs/get`, body: JSON.stringify({ run_id: B.run }) }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200 seen',
      ],
      [
        'a GET with a body beside a query',
        ({ A, B }) => ({ target: `${API}/runs/get?run_id=${A.run}`, json: { run_id: B.run } }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200',
      ],
      [
        "a query of one's own beside the body",
        ({ A, B }) => ({
          method: 'POST',
          target: `${API}/runs/set-tag?run_id=${A.run}`,
          json: { run_id: B.run, key: 'k', value: 'v' },
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 changed',
      ],
      [
        'a POST of another type',
        ({ B }) => ({
          method: 'POST',
          target: `${API}/runs/set-tag`,
          headers: ['Content-Type: text/plain'],
          body: JSON.stringify({ run_id: B.run, key: 'k', value: 'v' }),
        }),
        '415 INVALID_PARAMETER_VALUE ERR_UNSUPPORTED_MEDIA_TYPE',
        '400',
      ],
      [
        'a POST of a type in capitals',
        ({ B }) => ({
          method: 'POST',
          target: `${API}/runs/set-tag`,
          headers: ['Content-Type: Application/JSON'],
          body: JSON.stringify({ run_id: B.run, key: 'k', value: 'v' }),
        }),
        '415 INVALID_PARAMETER_VALUE ERR_UNSUPPORTED_MEDIA_TYPE',
        '400',
      ],
      [
        'a PATCH of another type',
        ({ B }) => ({
          method: 'PATCH',
          target: `${API}/registered-models/update`,
          headers: ['Content-Type: text/plain'],
          body: JSON.stringify({ name: B.registered_model, description: 'd' }),
        }),
        '415 INVALID_PARAMETER_VALUE ERR_UNSUPPORTED_MEDIA_TYPE',
        '200 seen changed',
      ],
      [
        'a DELETE without a type',
        ({ B }) => ({
          method: 'DELETE',
          target: `${API}/registered-models/delete`,
          headers: [],
          body: JSON.stringify({ name: B.registered_model }),
        }),
        '415 INVALID_PARAMETER_VALUE ERR_UNSUPPORTED_MEDIA_TYPE',
        '200 changed',
      ],
      [
        "a DELETE with one's own name in the query",
        ({ A, B }) => ({
          method: 'DELETE',
          target: `${API}/registered-models/delete?name=${A.registered_model}`,
          headers: [],
          body: JSON.stringify({ name: B.registered_model }),
        }),
        '415 INVALID_PARAMETER_VALUE ERR_UNSUPPORTED_MEDIA_TYPE',
        '200 changed',
      ],
      [
        'a key twice, of which the last counts',
        ({ A, B }) => ({
          method: 'POST',
          target: `${API}/runs/set-tag`,
          headers: [JSON_TYPE],
          body: `{"run_id":"${A.run}","run_id":"${B.run}","key":"k","value":"v"}`,
        }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200 changed',
      ],
      [
        'a key twice, once with an escape',
        ({ A, B }) => ({
          method: 'POST',
          target: `${API}/runs/set-tag`,
          headers: [JSON_TYPE],
          body: `{"run_id":"${A.run}","run\\u005fid":"${B.run}","key":"k","value":"v"}`,
        }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200 changed',
      ],
      [
        'a key with an escape',
        ({ B }) => ({
          method: 'POST',
          target: `${API}/runs/set-tag`,
          headers: [JSON_TYPE],
          body: `{"run\\u005fid":"${B.run}","key":"k","value":"v"}`,
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 changed',
      ],
      [
        'both spellings of a key',
        ({ A, B }) => ({
          method: 'POST',
          target: `${API}/runs/set-tag`,
          json: { runId: B.run, run_id: A.run, key: 'k', value: 'v' },
        }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '400',
      ],
      [
        'a number that JSON has not',
        ({ B }) => ({
          method: 'POST',
          target: `${API}/runs/set-tag`,
          headers: [JSON_TYPE],
          body: `{"x":NaN,"run_id":"${B.run}","key":"k","value":"v"}`,
        }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200 changed',
      ],
      [
        'something behind the body',
        ({ B }) => ({
          method: 'POST',
          target: `${API}/runs/set-tag`,
          headers: [JSON_TYPE],
          body: `${JSON.stringify({ run_id: B.run, key: 'k', value: 'v' })} x`,
        }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '400',
      ],
      [
        'a list at the top',
        ({ B }) => ({
          method: 'POST',
          target: `${API}/runs/set-tag`,
          json: [{ run_id: B.run, key: 'k', value: 'v' }],
        }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '500',
      ],
      [
        'JSON in a string',
        ({ B }) => ({
          method: 'POST',
          target: `${API}/runs/set-tag`,
          json: JSON.stringify({ run_id: B.run, key: 'k', value: 'v' }),
        }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200 changed',
      ],
      [
        'UTF-16',
        ({ B }) => ({
          method: 'POST',
          target: `${API}/runs/set-tag`,
          headers: [JSON_TYPE],
          body: Buffer.from(JSON.stringify({ run_id: B.run, key: 'k', value: 'v' }), 'utf16le'),
        }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200 changed',
      ],
      [
        'a byte order mark',
        ({ B }) => ({
          method: 'POST',
          target: `${API}/runs/set-tag`,
          headers: [JSON_TYPE],
          body: `\ufeff${JSON.stringify({ run_id: B.run, key: 'k', value: 'v' })}`,
        }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200 changed',
      ],
      [
        'run_uuid alone',
        ({ B }) => ({ target: `${API}/runs/get?run_uuid=${B.run}` }),
        '403 PERMISSION_DENIED no_grant',
        '200 seen',
      ],
      [
        "run_uuid behind a run_id of one's own",
        ({ A, B }) => ({ target: `${API}/runs/get?run_id=${A.run}&run_uuid=${B.run}` }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200',
      ],
      [
        "run_id before a run_uuid of one's own",
        ({ A, B }) => ({
          method: 'POST',
          target: `${API}/runs/set-tag`,
          json: { run_uuid: A.run, run_id: B.run, key: 'k', value: 'v' },
        }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200 changed',
      ],
      [
        "an empty run_id, for which a file's run_uuid counts",
        ({ B }) => ({ target: `/get-artifact?run_id=&run_uuid=${B.run}&path=file.txt` }),
        '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER',
        '200 seen',
      ],
      [
        'an upload that reads run_uuid only',
        ({ A, B }) => ({
          method: 'POST',
          target: `/ajax-api/2.0/mlflow/upload-artifact?run_id=${A.run}&run_uuid=${B.run}&path=new.txt`,
          body: 'new',
        }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200 changed',
      ],
      [
        'a search for an id that is a number',
        ({ B }) => ({
          method: 'POST',
          target: `${API}/runs/search`,
          json: { experiment_ids: [Number(B.experiment)] },
        }),
        '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER',
        '200',
      ],
      [
        'a batch that is read up to a fault',
        ({ B }) => ({
          method: 'POST',
          target: `${API}/runs/log-batch`,
          json: { run_id: B.run, metrics: [{ key: 'k', value: 1, timestamp: 1 }], params: 5 },
        }),
        '403 PERMISSION_DENIED no_grant',
        '400',
      ],
      [
        "a fault in front of one's own id: the default experiment",
        () => ({
          method: 'POST',
          target: `${API}/experiments/set-experiment-tag`,
          json: { experiment_id: '0', key: 5, value: 'v' },
        }),
        '403 PERMISSION_DENIED no_grant',
        '400',
      ],
      [
        'an experiment id written as 02',
        ({ B }) => ({ target: `${API}/experiments/get?experiment_id=0${B.experiment}` }),
        '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER',
        '200 seen',
      ],
      [
        'an experiment id written as blank 2',
        ({ B }) => ({ target: `${API}/experiments/get?experiment_id=%20${B.experiment}` }),
        '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER',
        '200 seen',
      ],
      [
        'an experiment id written as 2 newline',
        ({ B }) => ({ target: `${API}/experiments/get?experiment_id=${B.experiment}%0A` }),
        '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER',
        '200 seen',
      ],
      [
        'an experiment id written as +2',
        ({ B }) => ({ target: `${API}/experiments/get?experiment_id=%2B${B.experiment}` }),
        '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER',
        '200 seen',
      ],
      [
        'an experiment id written as 0_2',
        ({ B }) => ({ target: `${API}/experiments/get?experiment_id=0_${B.experiment}` }),
        '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER',
        '200 seen',
      ],
      [
        'an experiment id written as 2 no-break blank',
        ({ B }) => ({ target: `${API}/experiments/get?experiment_id=${B.experiment}%C2%A0` }),
        '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER',
        '200 seen',
      ],
      [
        'an experiment id in full-width digits',
        ({ B }) => ({ target: `${API}/experiments/get?experiment_id=%EF%BC%9${B.experiment}` }),
        '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER',
        '200 seen',
      ],
      [
        'an experiment id in Arabic digits',
        ({ B }) => ({ target: `${API}/experiments/get?experiment_id=%D9%A${B.experiment}` }),
        '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER',
        '200 seen',
      ],
      [
        'a run id in upper case',
        ({ B }) => ({ target: `${API}/runs/get?run_id=${B.run.toUpperCase()}` }),
        '403 PERMISSION_DENIED no_grant',
        '404',
      ],
      [
        "an id in the body beside the path's",
        ({ A, B }) => ({
          method: 'PATCH',
          target: `/api/3.0/mlflow/traces/${B.trace}/tags`,
          json: { trace_id: A.trace, key: 'k', value: 'v' },
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 changed',
      ],
    ],
  },
  {
    of: '§2, framing',
    attacks: [
      [
        'a chunked body for a message',
        ({ B }) => ({
          method: 'POST',
          target: `${API}/runs/set-tag`,
          json: { run_id: B.run, key: 'k', value: 'v' },
          chunked: true,
        }),
        '403 PERMISSION_DENIED no_grant',
        '400',
      ],
      [
        'a chunked body for a file',
        ({ B }) => ({ method: 'PUT', target: `${FILES}/${B.artifact}`, body: 'changed', chunked: true }),
        '403 PERMISSION_DENIED no_grant',
        '200 changed',
      ],
      [
        'a coded body for a message',
        ({ B }) => ({
          method: 'POST',
          target: `${API}/runs/set-tag`,
          headers: [JSON_TYPE, 'Content-Encoding: gzip'],
          body: gzipSync(JSON.stringify({ run_id: B.run, key: 'k', value: 'v' })),
        }),
        '415 INVALID_PARAMETER_VALUE ERR_UNSUPPORTED_MEDIA_TYPE',
        '400',
      ],
      [
        'a coded body for a file',
        ({ B }) => ({
          method: 'PUT',
          target: `${FILES}/${B.artifact}`,
          headers: ['Content-Encoding: gzip'],
          body: gzipSync('changed'),
        }),
        '415 INVALID_PARAMETER_VALUE ERR_UNSUPPORTED_MEDIA_TYPE',
        '200 changed',
      ],
      [
        "coded spans of somebody else's trace",
        ({ A, B }) => ({
          method: 'POST',
          target: `/v1/traces`,
          headers: [JSON_TYPE, 'Content-Encoding: gzip', `X-MLflow-Experiment-Id: ${A.experiment}`],
          body: gzipSync(JSON.stringify(spansOf(B.trace))),
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 changed',
      ],
      [
        'a body of two lengths',
        ({ B }) => ({
          method: 'POST',
          target: `${API}/runs/set-tag`,
          headers: [JSON_TYPE, 'Content-Length: 2'],
          body: JSON.stringify({ run_id: B.run, key: 'k', value: 'v' }),
        }),
        '400 INVALID_PARAMETER_VALUE -',
        '400',
      ],
    ],
  },
  {
    of: '§3, artifacts',
    attacks: [
      [
        'read a file',
        ({ B }) => ({ target: `${FILES}/${B.artifact}` }),
        '403 PERMISSION_DENIED no_grant',
        '200 seen',
      ],
      [
        'write over a file',
        ({ B }) => ({ method: 'PUT', target: `${FILES}/${B.artifact}`, body: 'changed' }),
        '403 PERMISSION_DENIED no_grant',
        '200 changed',
      ],
      [
        'delete a file',
        ({ B }) => ({ method: 'DELETE', target: `${FILES}/${B.artifact}` }),
        '403 PERMISSION_DENIED no_grant',
        '200 changed',
      ],
      [
        'delete everything of an experiment',
        ({ B }) => ({ method: 'DELETE', target: `${FILES}/${B.experiment}` }),
        '403 PERMISSION_DENIED no_grant',
        '200 changed',
      ],
      [
        'list a run',
        ({ B }) => ({ target: `${FILES}?path=${B.artifact_folder}` }),
        '403 PERMISSION_DENIED no_grant',
        '200 seen',
      ],
      [
        'a file of a model',
        ({ B }) => ({ target: `${FILES}/${B.experiment}/models/${B.logged_model}/artifacts/file.txt` }),
        '403 PERMISSION_DENIED no_grant',
        '200 seen',
      ],
      [
        'spans of a trace',
        ({ B }) => ({ target: `${FILES}/${B.experiment}/traces/${B.trace}/artifacts/traces.json` }),
        '403 PERMISSION_DENIED no_grant',
        '200 seen',
      ],
      [
        'an id escaped twice',
        ({ B }) => ({ target: `${FILES}/%253${B.experiment}/${B.run}/artifacts/file.txt` }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200 seen',
      ],
      [
        'a slash escaped twice',
        ({ B }) => ({ target: `${FILES}/${B.experiment}%252F${B.run}/artifacts/file.txt` }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200 seen',
      ],
      [
        'an escaped slash',
        ({ B }) => ({ target: `${FILES}/${B.experiment}%2F${B.run}/artifacts/file.txt` }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200 seen',
      ],
      [
        'a dot in front',
        ({ B }) => ({ target: `${FILES}/./${B.artifact}` }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200 seen',
      ],
      [
        'two slashes',
        ({ B }) => ({ target: `${FILES}/${B.experiment}//${B.run}/artifacts/file.txt` }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200 seen',
      ],
      [
        'two slashes in front',
        ({ B }) => ({ target: `${FILES}//${B.artifact}` }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '400',
      ],
      [
        "out of one's own and into another",
        ({ A, B }) => ({ target: `${FILES}/${A.experiment}/../${B.artifact}` }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '400',
      ],
      [
        'the same with escapes',
        ({ A, B }) => ({ target: `${FILES}/${A.experiment}/%252e%252e/${B.artifact}` }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '400',
      ],
      [
        'a file URL',
        () => ({ target: `${FILES}/file:///etc/passwd` }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '400',
      ],
      [
        'write with a slash at the end',
        ({ B }) => ({ method: 'PUT', target: `${FILES}/${B.artifact}/`, body: 'changed' }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '400',
      ],
      ['list everything', () => ({ target: `${FILES}` }), '403 PERMISSION_DENIED admin_only', '200'],
      [
        'list the root by a dot',
        () => ({ target: `${FILES}?path=.` }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200',
      ],
      [
        'list the root by an escaped dot',
        () => ({ target: `${FILES}?path=%252e` }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200',
      ],
      [
        'list an experiment',
        ({ B }) => ({ target: `${FILES}?path=${B.experiment}` }),
        '403 PERMISSION_DENIED no_grant',
        '200',
      ],
      [
        'list with an id escaped twice',
        ({ B }) => ({ target: `${FILES}?path=%253${B.experiment}/${B.run}/artifacts` }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200 seen',
      ],
      [
        'write where no experiment is',
        () => ({ method: 'PUT', target: `${FILES}/zzz/free.txt`, body: 'changed' }),
        '403 PERMISSION_DENIED admin_only',
        '200 changed',
      ],
      [
        'write where a workspace might be',
        () => ({ method: 'PUT', target: `${FILES}/workspaces/w1/x.txt`, body: 'changed' }),
        '403 PERMISSION_DENIED admin_only',
        '200 changed',
      ],
      [
        'an experiment that stores in another',
        ({ B }) => ({
          method: 'POST',
          target: `${API}/experiments/create`,
          json: { name: 'alpha-mine', artifact_location: `mlflow-artifacts:/${B.experiment}` },
        }),
        '403 PERMISSION_DENIED admin_only',
        '200 changed',
      ],
      [
        'an experiment that stores everywhere',
        () => ({
          method: 'POST',
          target: `${API}/experiments/create`,
          json: { name: 'alpha-mine', artifact_location: 'mlflow-artifacts:/' },
        }),
        '403 PERMISSION_DENIED admin_only',
        '200 changed',
      ],
      [
        'an experiment that stores on the server',
        () => ({
          method: 'POST',
          target: `${API}/experiments/create`,
          json: { name: 'alpha-mine', artifact_location: '/tmp/x' },
        }),
        '403 PERMISSION_DENIED admin_only',
        '200 changed',
      ],
      [
        'begin an upload in parts',
        ({ B }) => ({
          method: 'POST',
          target: `/api/2.0/mlflow-artifacts/mpu/create/${B.artifact_folder}`,
          json: { path: 'x', num_parts: 1 },
        }),
        '403 PERMISSION_DENIED no_grant',
        '501',
      ],
      [
        'an upload in parts that climbs',
        ({ A, B }) => ({
          method: 'POST',
          target: `/api/2.0/mlflow-artifacts/mpu/create/${A.artifact_folder}`,
          json: { path: `../../../${B.artifact}`, num_parts: 1 },
        }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '501',
      ],
      [
        'a URL that outlives the right',
        ({ A }) => ({ target: `/api/2.0/mlflow-artifacts/presigned/${A.artifact}` }),
        '403 PERMISSION_DENIED switched_off',
        '501',
      ],
      [
        'a file by its run',
        ({ B }) => ({ target: `/get-artifact?run_id=${B.run}&path=file.txt` }),
        '403 PERMISSION_DENIED no_grant',
        '200 seen',
      ],
      [
        "a file by its model's version",
        ({ B }) => ({
          target: `/model-versions/get-artifact?name=${B.registered_model}&version=1&path=file.txt`,
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 seen',
      ],
      [
        'a file by its logged model',
        ({ B }) => ({
          target: `/ajax-api/2.0/mlflow/logged-models/${B.logged_model}/artifacts/files?artifact_file_path=file.txt`,
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 seen',
      ],
      [
        'a file by its trace',
        ({ B }) => ({ target: `/ajax-api/3.0/mlflow/get-trace-artifact?request_id=${B.trace}` }),
        '403 PERMISSION_DENIED no_grant',
        '200 seen',
      ],
      [
        "the list of a run's files",
        ({ B }) => ({ target: `${API}/artifacts/list?run_id=${B.run}` }),
        '403 PERMISSION_DENIED no_grant',
        '200 seen',
      ],
      [
        "a path that climbs out of one's own run",
        ({ A, B }) => ({ target: `/get-artifact?run_id=${A.run}&path=../../../${B.artifact}` }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '400',
      ],
    ],
  },
  {
    of: '§4, things that reach across',
    attacks: [
      [
        'take a trace away by its id',
        ({ A, B }) => ({
          method: 'POST',
          target: `/api/3.0/mlflow/traces`,
          json: traceOf(B.trace, A.experiment),
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 seen changed',
      ],
      [
        'add spans to a trace',
        ({ A, B }) => ({
          method: 'POST',
          target: '/v1/traces',
          headers: [`X-MLflow-Experiment-Id: ${A.experiment}`],
          json: spansOf(B.trace),
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 changed',
      ],
      [
        'new spans into an experiment',
        ({ B }) => ({
          method: 'POST',
          target: '/v1/traces',
          headers: [`X-MLflow-Experiment-Id: ${B.experiment}`],
          json: spansOf(`tr-${'c'.repeat(32)}`),
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 changed',
      ],
      [
        'new spans, the header twice',
        ({ A, B }) => ({
          method: 'POST',
          target: '/v1/traces',
          headers: [`X-MLflow-Experiment-Id: ${B.experiment}`, `X-MLflow-Experiment-Id: ${A.experiment}`],
          json: spansOf(`tr-${'c'.repeat(32)}`),
        }),
        '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER',
        '200 changed',
      ],
      [
        "new spans of somebody else's run",
        ({ A, B }) => ({
          method: 'POST',
          target: '/v1/traces',
          headers: [`X-MLflow-Experiment-Id: ${A.experiment}`, `X-MLflow-Run-Id: ${B.run}`],
          json: spansOf(`tr-${'c'.repeat(32)}`),
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 changed',
      ],
      [
        "another trace's files under one's own",
        ({ A, B }) => ({
          method: 'PATCH',
          target: `/api/3.0/mlflow/traces/${A.trace}/tags`,
          json: { key: 'mlflow.artifactLocation', value: `mlflow-artifacts:/${B.experiment}` },
        }),
        '403 PERMISSION_DENIED admin_only',
        '200',
      ],
      [
        "a version of another run's files",
        ({ A, B }) => ({
          method: 'POST',
          target: `${API}/model-versions/create`,
          json: { name: A.registered_model, source: `runs:/${B.run}/x`, run_id: B.run },
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 changed',
      ],
      [
        'a version of files by their path',
        ({ A, B }) => ({
          method: 'POST',
          target: `${API}/model-versions/create`,
          json: { name: A.registered_model, source: `mlflow-artifacts:/${B.artifact_folder}`, run_id: B.run },
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 changed',
      ],
      [
        "a version of another model's version",
        ({ A, B }) => ({
          method: 'POST',
          target: `${API}/model-versions/create`,
          json: { name: A.registered_model, source: `models:/${B.registered_model}/1` },
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 changed',
      ],
      [
        'a version of a logged model',
        ({ A, B }) => ({
          method: 'POST',
          target: `${API}/model-versions/create`,
          json: { name: A.registered_model, source: `models:/${B.logged_model}`, model_id: B.logged_model },
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 changed',
      ],
      [
        'a version of what the server can read',
        ({ A }) => ({
          method: 'POST',
          target: `${API}/model-versions/create`,
          json: { name: A.registered_model, source: 's3://bucket/x' },
        }),
        '403 PERMISSION_DENIED admin_only',
        '200',
      ],
      [
        "a metric of another's logged model",
        ({ A, B }) => ({
          method: 'POST',
          target: `${API}/runs/log-metric`,
          json: { run_id: A.run, key: 'k', value: 1, timestamp: 1, model_id: B.logged_model },
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 changed',
      ],
      [
        'a batch with one',
        ({ A, B }) => ({
          method: 'POST',
          target: `${API}/runs/log-batch`,
          json: { run_id: A.run, metrics: [{ key: 'k', value: 1, timestamp: 1, model_id: B.logged_model }] },
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 changed',
      ],
      [
        'inputs with one',
        ({ A, B }) => ({
          method: 'POST',
          target: `${API}/runs/log-inputs`,
          json: { run_id: A.run, models: [{ model_id: B.logged_model }] },
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 changed',
      ],
      [
        'outputs with one',
        ({ A, B }) => ({
          method: 'POST',
          target: `${API}/runs/outputs`,
          json: { run_id: A.run, models: [{ model_id: B.logged_model, step: 1 }] },
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 changed',
      ],
      [
        "another's trace linked to one's own run",
        ({ A, B }) => ({
          method: 'POST',
          target: `/api/2.0/mlflow/traces/link-to-run`,
          json: { run_id: A.run, trace_ids: [B.trace] },
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 changed',
      ],
      [
        'a model turned into a prompt',
        ({ A }) => ({
          method: 'POST',
          target: `${API}/registered-models/set-tag`,
          json: { name: A.registered_model, key: 'mlflow.prompt.is_prompt', value: 'true' },
        }),
        '403 PERMISSION_DENIED admin_only',
        '200',
      ],
      [
        "a data set of nobody's",
        () => ({ method: 'POST', target: `/api/3.0/mlflow/datasets/create`, json: { name: 'd' } }),
        '403 PERMISSION_DENIED admin_only',
        '200 changed',
      ],
      [
        'every data set',
        () => ({ method: 'POST', target: `/api/3.0/mlflow/datasets/search`, json: {} }),
        '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER',
        '200',
      ],
      [
        'every issue',
        () => ({ method: 'POST', target: `/api/3.0/mlflow/issues/search`, json: {} }),
        '403 PERMISSION_DENIED admin_only',
        '200',
      ],
      [
        'histories of several runs',
        ({ A, B }) => ({
          target: `/ajax-api/2.0/mlflow/metrics/get-history-bulk?run_id=${A.run}&run_id=${B.run}&metric_key=seeded`,
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 seen',
      ],
      [
        'histories in intervals',
        ({ A, B }) => ({
          target: `${API}/metrics/get-history-bulk-interval?run_ids=${A.run}&run_ids=${B.run}&metric_key=seeded&max_results=10`,
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 seen',
      ],
      [
        'several traces',
        ({ A, B }) => ({
          target: `/api/3.0/mlflow/traces/batchGet?trace_ids=${A.trace}&trace_ids=${B.trace}`,
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 seen',
      ],
      [
        'infos of several traces',
        ({ A, B }) => ({
          method: 'POST',
          target: `/api/3.0/mlflow/traces/batchGetInfos`,
          json: { trace_ids: [A.trace, B.trace] },
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 seen',
      ],
      [
        'counts over several experiments',
        ({ A, B }) => ({
          method: 'POST',
          target: `/api/3.0/mlflow/traces/metrics`,
          json: { experiment_ids: [A.experiment, B.experiment], ...COUNT },
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 seen',
      ],
      [
        'a search of runs',
        ({ B }) => ({
          method: 'POST',
          target: `${API}/runs/search`,
          json: { experiment_ids: [B.experiment] },
        }),
        '200 allow',
        '200 seen',
      ],
      [
        'a search of logged models',
        ({ B }) => ({
          method: 'POST',
          target: `${API}/logged-models/search`,
          json: { experiment_ids: [B.experiment] },
        }),
        '200 allow',
        '200 seen',
      ],
      [
        'a search of traces',
        ({ B }) => ({
          method: 'POST',
          target: `/api/3.0/mlflow/traces/search`,
          json: { locations: [locationOf(B.experiment)] },
        }),
        '200 allow',
        '200 seen',
      ],
      [
        "a search of runs in one's own too",
        ({ A, B }) => ({
          method: 'POST',
          target: `${API}/runs/search`,
          json: { experiment_ids: [A.experiment, B.experiment] },
        }),
        '200 allow',
        '200 seen',
      ],
      [
        "traces deleted by another experiment's right",
        ({ A, B }) => ({
          method: 'POST',
          target: `${API}/traces/delete-traces`,
          json: { experiment_id: A.experiment, request_ids: [B.trace] },
        }),
        '200 allow',
        '200',
      ],
    ],
  },
  {
    of: '§6, GraphQL',
    attacks: [
      [
        'a run',
        ({ B }) => ({
          method: 'POST',
          target: '/graphql',
          json: { query: `{ mlflowGetRun(input: {runId: "${B.run}"}) { run { info { runName } } } }` },
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 seen',
      ],
      [
        "a run under an alias, beside one's own",
        ({ A, B }) => ({
          method: 'POST',
          target: '/graphql',
          json: {
            query: `{ a: mlflowGetRun(input: {runId: "${A.run}"}) { run { info { runName } } } b: mlflowGetRun(input: {runId: "${B.run}"}) { run { info { runName } } } }`,
          },
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 seen',
      ],
      [
        'a run by a variable',
        ({ B }) => ({
          method: 'POST',
          target: '/graphql',
          json: {
            query: `query q($id: String) { mlflowGetRun(input: {runId: $id}) { run { info { runName } } } }`,
            variables: { id: B.run },
          },
        }),
        '403 PERMISSION_DENIED no_grant',
        '200 seen',
      ],
      [
        'two ids of one run',
        ({ A, B }) => ({
          method: 'POST',
          target: '/graphql',
          json: {
            query: `{ mlflowGetRun(input: {runId: "${B.run}", runUuid: "${A.run}"}) { run { info { runName } } } }`,
          },
        }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200 seen',
      ],
      [
        'a run in a fragment',
        ({ B }) => ({
          method: 'POST',
          target: '/graphql',
          json: {
            query: `{ ...f } fragment f on Query { mlflowGetRun(input: {runId: "${B.run}"}) { run { info { runName } } } }`,
          },
        }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200 seen',
      ],
      [
        'the second of two operations',
        ({ A, B }) => ({
          method: 'POST',
          target: '/graphql',
          json: {
            query: `query a { mlflowGetRun(input: {runId: "${A.run}"}) { run { info { runName } } } } query b { mlflowGetRun(input: {runId: "${B.run}"}) { run { info { runName } } } }`,
            operationName: 'b',
          },
        }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200 seen',
      ],
      [
        'a GET with a body',
        ({ B }) => ({
          target: '/graphql',
          json: { query: `{ mlflowGetRun(input: {runId: "${B.run}"}) { run { info { runName } } } }` },
        }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200 seen',
      ],
      [
        'every version',
        () => ({
          method: 'POST',
          target: '/graphql',
          json: { query: `{ mlflowSearchModelVersions(input: {}) { modelVersions { name source } } }` },
        }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200 seen',
      ],
      [
        'the schema',
        () => ({
          method: 'POST',
          target: '/graphql',
          json: { query: `{ __schema { queryType { name } } }` },
        }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '200',
      ],
    ],
  },
  {
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
  },
  {
    of: '§8, workspaces',
    attacks: [
      [
        'another workspace by a header',
        ({ B }) => ({
          target: `${API}/experiments/get?experiment_id=${B.experiment}`,
          headers: ['X-MLFLOW-WORKSPACE: other'],
        }),
        '400 INVALID_PARAMETER_VALUE workspaces_off',
        '500',
      ],
      [
        "one's own in another workspace",
        ({ A }) => ({
          target: `${API}/experiments/get?experiment_id=${A.experiment}`,
          headers: ['X-MLFLOW-WORKSPACE: other', 'X-MLFLOW-WORKSPACE: default'],
        }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '500',
      ],
      ['the list of them', () => ({ target: `/api/3.0/mlflow/workspaces` }), '503 allow', '503'],
      [
        'a new one',
        () => ({ method: 'POST', target: `/api/3.0/mlflow/workspaces`, json: { name: 'mine' } }),
        '403 PERMISSION_DENIED admin_only',
        '503',
      ],
      [
        'files of another',
        ({ B }) => ({ target: `${FILES}/workspaces/other/${B.artifact}` }),
        '403 PERMISSION_DENIED admin_only',
        '404',
      ],
      [
        'files of another, behind a dot',
        ({ B }) => ({ target: `${FILES}/./workspaces/other/${B.artifact}` }),
        '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
        '404',
      ],
      [
        'the names of all',
        () => ({ target: `${FILES}?path=workspaces` }),
        '403 PERMISSION_DENIED admin_only',
        '200',
      ],
    ],
  },
]

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world?.stop())
afterEach(() => {
  world.gateway.events.length = 0
})

/** What belongs to B, or to nobody. */
function isTheirs(owner: string): boolean {
  const { experiment, registered_model, prompt } = world.ids.alpha
  const own = [
    `experiment:${experiment}`,
    `file:${experiment}`,
    `registered:${registered_model}`,
    `registered:${prompt}`,
  ]
  return !own.includes(owner)
}

async function bare(ask: Ask): Promise<string> {
  const { gateway, mlflowPort, state } = world
  const { as: _, ...anonymous } = ask
  const exchange = await rawExchange(mlflowPort, bytesOf(anonymous, mlflowPort, gateway.members))
  const [answer] = exchange.responses
  const seen = tenantsSeenIn(exchange.received.toString('latin1')).includes('beta') ? ' seen' : ''
  const changed = [...state.undo()].some(isTheirs) ? ' changed' : ''
  return `${answer?.status ?? 'no answer'}${seen}${changed}`
}

describe.each(ATTACKS)('$of', ({ attacks }) => {
  it.each(attacks)('%s', async (_, asking, wanted, wantedOfMlflow) => {
    const { gateway, ids, state } = world
    const ask: Ask = { as: 'editor', ...asking({ A: ids.alpha, B: ids.beta }) }
    const { line, body } = await gateway.ask(ask)
    expect([...state.undo()].filter(isTheirs)).toEqual([])
    expect(tenantsSeenIn(body.toString('latin1'))).not.toContain('beta')
    expect(line).toBe(wanted)
    if (wantedOfMlflow !== undefined) expect(await bare(ask)).toBe(wantedOfMlflow)
  })
})

import { gzipSync } from 'node:zlib'
import { API, type Attacks, FILES, JSON_TYPE, spansOf } from './attack.ts'

export const FRAMING: Attacks = {
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
}

import { API, type Attacks, FILES } from './attack.ts'

export const METHODS: Attacks = {
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
}

import { API, type Attacks } from './attack.ts'

export const PATH: Attacks = {
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
}

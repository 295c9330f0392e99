import { API, type Attacks, FILES } from './attack.ts'

export const WORKSPACES: Attacks = {
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
}

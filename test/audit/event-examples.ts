import type { AuditEvent } from '../../src/audit/event.ts'

/** A decision as the gateway records it. */
export function decision(change: Partial<AuditEvent> = {}): AuditEvent {
  return {
    at: '2026-11-25T09:00:00.000Z',
    requestId: '01HZX3J8Q0G5T7W9Y1A2B3C4D5',
    event: 'decision',
    userId: 'u1',
    username: 'ada',
    provider: 'oidc',
    credential: { kind: 'access_token', form: 'bearer', id: 'jti-1' },
    operation: 'experiments.get',
    method: 'GET',
    path: '/api/2.0/mlflow/experiments/get',
    resources: [{ type: 'experiment', id: '1' }],
    effect: 'allow',
    status: 200,
    bytesIn: 0,
    bytesOut: 120,
    durationMs: 1.5,
    remoteAddress: '127.0.0.1',
    ...change,
  }
}

import { randomInt } from 'node:crypto'

/** What an answer comes to. `lost`: nobody of ours gave one. */
export type Outcome =
  | 'done'
  | 'empty'
  | 'forbidden'
  | 'unauthenticated'
  | 'locked down'
  | `lost: ${string}`
  | `unexpected: ${string}`

export type Level = 'none' | 'READ' | 'EDIT'
export type Lockdown = 'off' | 'closed' | 'read_only'

/** What decides about one answer. */
export type Standing = { readonly isValid: boolean; readonly lockdown: Lockdown; readonly level: Level }

/** What there is at the tracking server. */
export type Place = {
  readonly shared: { readonly id: string; readonly name: string; readonly runId: string }
  /** Nobody's but administrators'. */
  readonly secret: { readonly id: string; readonly runId: string }
  /** `seed.bin` of both runs. */
  readonly seed: Buffer
}

export type Sent = {
  readonly method: 'GET' | 'POST' | 'PUT'
  readonly path: string
  readonly body?: string | Buffer
  /** The one metric it writes, by which one finds at the tracking server whether it did. */
  readonly writes?: { readonly runId: string; readonly key: string; readonly step: number }
}

export type Answer = { readonly status: number; readonly json: unknown; readonly bytes: Buffer }

/** A kind of request, and what comes of it. */
export type Kind = {
  readonly name: string
  /** How often, beside the others. */
  readonly weight: number
  /** The least level on the shared experiment that it takes; `never` for what is not theirs. */
  readonly needs: Exclude<Level, 'none'> | 'never'
  readonly isWrite: boolean
  /** What comes of it without that level. */
  readonly otherwise: 'forbidden' | 'empty'
  /** @param runId A run of the person's own in the shared experiment. @param turn Never the same twice. */
  readonly ask: (place: Place, runId: string, turn: number) => Sent
  /** Of an answer 200. */
  readonly read: (answer: Answer, place: Place) => Outcome
}

const API = '/api/2.0/mlflow'
const FILES = '/api/2.0/mlflow-artifacts/artifacts'

const isDone = (holds: boolean, answer: Answer): Outcome =>
  holds ? 'done' : `unexpected: 200 ${answer.bytes.toString('utf8').slice(0, 200)}`

const post = (path: string, body: unknown): Sent => ({ method: 'POST', path, body: JSON.stringify(body) })

function metric(runId: string, key: string, turn: number): Sent {
  const point = { key, value: turn, timestamp: 1, step: turn }
  return {
    ...post(`${API}/runs/log-metric`, { run_id: runId, ...point }),
    writes: { runId, key, step: turn },
  }
}

type Rows = {
  readonly experiments?: { name: string }[]
  readonly runs?: { info: { experiment_id: string } }[]
}

const read = { isWrite: false, otherwise: 'forbidden' } as const
const write = { needs: 'EDIT', isWrite: true, otherwise: 'forbidden' } as const
const never = { needs: 'never', weight: 1, otherwise: 'forbidden' } as const

export const KINDS: readonly Kind[] = [
  {
    ...{ ...read, name: 'experiments.get', weight: 6, needs: 'READ' },
    ask: ({ shared }) => ({ method: 'GET', path: `${API}/experiments/get?experiment_id=${shared.id}` }),
    read: (answer, { shared }) =>
      isDone((answer.json as { experiment: { name: string } }).experiment.name === shared.name, answer),
  },
  {
    ...{ ...read, name: 'experiments.search', weight: 3, needs: 'READ', otherwise: 'empty' },
    ask: () => post(`${API}/experiments/search`, { max_results: 50 }),
    read: (answer, { shared }) => {
      const names = ((answer.json as Rows).experiments ?? []).map(({ name }) => name)
      return names.length === 0 ? 'empty' : isDone(names.join() === shared.name, answer)
    },
  },
  {
    ...{ ...read, name: 'runs.search', weight: 3, needs: 'READ', otherwise: 'empty' },
    ask: ({ shared }) => post(`${API}/runs/search`, { experiment_ids: [shared.id], max_results: 5 }),
    read: (answer, { shared }) => {
      const { runs = [] } = answer.json as Rows
      if (runs.length === 0) return 'empty'
      return isDone(runs.length === 5 && runs.every(({ info }) => info.experiment_id === shared.id), answer)
    },
  },
  {
    ...{ ...read, name: 'artifacts.download', weight: 3, needs: 'READ' },
    ask: ({ shared }) => ({
      method: 'GET',
      path: `${FILES}/${shared.id}/${shared.runId}/artifacts/seed.bin`,
    }),
    read: (answer, { seed }) => isDone(answer.bytes.equals(seed), answer),
  },
  {
    ...{ ...write, name: 'runs.create', weight: 1 },
    ask: ({ shared }, _runId, turn) =>
      post(`${API}/runs/create`, { experiment_id: shared.id, run_name: `run ${turn}`, start_time: 1 }),
    read: (answer, { shared }) =>
      isDone(
        (answer.json as { run: { info: { experiment_id: string } } }).run.info.experiment_id === shared.id,
        answer,
      ),
  },
  {
    ...{ ...write, name: 'runs.log_metric', weight: 5 },
    ask: (_place, runId, turn) => metric(runId, 'single', turn),
    read: () => 'done',
  },
  {
    ...{ ...write, name: 'runs.log_batch', weight: 3 },
    ask: (_place, runId, turn) => {
      const keys = ['batch', 'loss', 'accuracy', 'speed']
      const metrics = keys.map((key) => ({ key, value: randomInt(1000), timestamp: 1, step: turn }))
      return {
        ...post(`${API}/runs/log-batch`, { run_id: runId, metrics }),
        writes: { runId, key: 'batch', step: turn },
      }
    },
    read: () => 'done',
  },
  {
    ...{ ...write, name: 'artifacts.upload', weight: 2 },
    ask: ({ shared, seed }, runId, turn) => ({
      ...{ method: 'PUT', path: `${FILES}/${shared.id}/${runId}/artifacts/${turn % 8}.bin`, body: seed },
    }),
    read: () => 'done',
  },
  {
    ...{ ...never, isWrite: false, name: 'experiments.get of another' },
    ask: ({ secret }) => ({ method: 'GET', path: `${API}/experiments/get?experiment_id=${secret.id}` }),
    read: () => 'done',
  },
  {
    ...{ ...never, isWrite: false, name: 'runs.get of another' },
    ask: ({ secret }) => ({ method: 'GET', path: `${API}/runs/get?run_id=${secret.runId}` }),
    read: () => 'done',
  },
  {
    ...{ ...never, isWrite: false, name: 'artifacts.download of another' },
    ask: ({ secret }) => ({
      method: 'GET',
      path: `${FILES}/${secret.id}/${secret.runId}/artifacts/seed.bin`,
    }),
    read: () => 'done',
  },
  {
    ...{ ...never, isWrite: true, name: 'runs.log_metric of another' },
    ask: ({ secret }, _runId, turn) => metric(secret.runId, 'stolen', turn),
    read: () => 'done',
  },
]

/** By its name. */
export function kindNamed(name: string): Kind {
  const kind = KINDS.find((each) => each.name === name)
  if (kind === undefined) throw new Error(`no kind of request is named ${name}`)
  return kind
}

const LOTS = KINDS.flatMap((kind) => Array.from({ length: kind.weight }, () => kind))

/** Any kind, by weight. */
export function anyKind(): Kind {
  return LOTS[randomInt(LOTS.length)] as Kind
}

const RANK: Readonly<Record<Level | 'never', number>> = { none: 0, READ: 1, EDIT: 2, never: 3 }

/** What must come of a request, written down from the documentation and apart from the gateway's own rules. */
export function expectedOutcome(kind: Kind, { isValid, lockdown, level }: Standing): Outcome {
  if (!isValid) return 'unauthenticated'
  if (lockdown === 'closed' || (lockdown === 'read_only' && kind.isWrite)) return 'locked down'
  return RANK[level] >= RANK[kind.needs] ? 'done' : kind.otherwise
}

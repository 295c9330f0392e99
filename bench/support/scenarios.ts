import { LIST_ROWS, RUN_ID } from './fixed-answers.ts'
import { applyLoad, applySteadyLoad, checkAnswer, type Load, type LoadResult, type LoadTool } from './load.ts'
import { growthDuring, treeUsage } from './process-tree.ts'
import type { Behind, SubjectName } from './stage.ts'
import type { Subject } from './subjects.ts'
import { type Direction, transfer } from './transfer.ts'

/** By the title of its column. */
export type Figures = Readonly<Record<string, number>>

export type Terms = {
  readonly tool: LoadTool
  readonly seconds: number
  /** Of the artifact. */
  readonly bytes: number
}

/** One thing that servers are asked to do, and what is measured of it. */
export type Scenario = {
  readonly name: string
  /** For the table. */
  readonly title: string
  readonly behind: Behind
  readonly subjects: readonly SubjectName[]
  /** What the others are compared with. */
  readonly base: SubjectName
  /** The column that ratios are about: the less the better. */
  readonly column: string
  readonly measure: (subject: Subject, terms: Terms) => Promise<Figures>
}

export const CPU_PER_REQUEST = 'µs CPU/req'
export const CPU_PER_GIB = 'ms CPU/GiB'

const PROXIES: readonly SubjectName[] = [
  ...(['nginx', 'bare', 'oauth2-proxy', 'oauth2-proxy-bearer'] as const),
  ...(['gateway', 'gateway-cookie', 'gateway-roles'] as const),
]
const FEWER: readonly SubjectName[] = ['nginx', 'bare', 'oauth2-proxy', 'gateway', 'gateway-roles']
const REAL: readonly SubjectName[] = [
  'mlflow',
  ...(['mlflow-nginx', 'mlflow-bare', 'mlflow-gateway'] as const),
  ...(['mlflow-oidc-auth', 'mlflow-basic-auth'] as const),
]

/**
 * Of each round, before what is measured: so long under full load it takes Node to translate what it had given up at rest,
 * and some threads of its own with it.
 */
const LEAD_SECONDS = 6

/** Requests a second that everybody here can do. */
const STEADY = 2000

const GET = '/api/2.0/mlflow/experiments/get?experiment_id=1'
const LIST = `/api/2.0/mlflow/experiments/search?max_results=${LIST_ROWS}`
const METRICS = JSON.stringify({
  run_id: RUN_ID,
  metrics: Array.from({ length: 100 }, (_, step) => ({
    ...{ key: `loss/${step % 10}`, value: 1 / (step + 1), timestamp: 1_795_596_887_000 + step, step },
  })),
})

export const SCENARIOS: readonly Scenario[] = [
  {
    ...requests({ path: GET }),
    ...{ name: 'warm-get', title: 'A small read (`experiments/get`) of somebody who was seen before' },
    subjects: [...PROXIES.slice(0, 2), 'verifying', ...PROXIES.slice(2)],
  },
  {
    ...requests({ path: GET, perSecond: STEADY }),
    ...{ name: 'steady', title: `The same small read, ${STEADY.toLocaleString('en')} a second of each` },
    ...{ base: 'oauth2-proxy-bearer', column: 'p99 ms' },
  },
  {
    ...requests({ path: '/api/2.0/mlflow/runs/log-batch', body: METRICS }),
    ...{ name: 'log-batch', title: '`runs/log-batch` of 100 metrics', subjects: FEWER },
  },
  {
    ...requests({ path: LIST, connections: 8, always: 'undici' }),
    ...{ name: 'list', title: 'A list of 1,000 experiments, of which half may be read', subjects: FEWER },
  },
  { ...artifact('down'), name: 'artifact-down', title: 'An artifact down' },
  { ...artifact('up'), name: 'artifact-up', title: 'An artifact up' },
  {
    ...requests({ path: GET, connections: 4, always: 'undici' }),
    ...{ name: 'mlflow', title: 'The same small read from a real MLflow 3.17.2, all processes together' },
    ...{ subjects: REAL, base: 'mlflow' },
  },
]

type Requests = {
  readonly path: string
  /** So many are sent, instead of as many as are answered. */
  readonly perSecond?: number
  readonly body?: string
  readonly connections?: number
  readonly always?: LoadTool
}

function requests(asked: Requests): Omit<Scenario, 'name' | 'title'> {
  const { path, body, connections = 32, always, perSecond } = asked
  const apply = (load: Load, tool: LoadTool): Promise<LoadResult> =>
    perSecond === undefined ? applyLoad(tool, load) : applySteadyLoad({ ...load, perSecond })
  return {
    ...{ behind: 'answers', subjects: PROXIES, base: 'bare', column: CPU_PER_REQUEST },
    async measure({ url, headers, pids, front }, { tool, seconds }) {
      const load = { url: url + path, headers, body, connections, seconds }
      await checkAnswer(load)
      // While others were measured it was at rest, and has given back memory and translated code.
      await apply({ ...load, seconds: LEAD_SECONDS }, always ?? tool)
      const [before, frontBefore] = [treeUsage(pids), treeUsage(front ?? [])]
      const result = await apply(load, always ?? tool)
      const [after, frontAfter] = [treeUsage(pids), treeUsage(front ?? [])]
      return {
        [CPU_PER_REQUEST]: (after.cpuUs - before.cpuUs) / result.requests,
        // What MLflow itself takes differs from round to round by more than a gateway does.
        ...(front && { 'µs in front': (frontAfter.cpuUs - frontBefore.cpuUs) / result.requests }),
        'req/s': result.requests / result.seconds,
        'p50 ms': result.p50Ms,
        'p99 ms': result.p99Ms,
        'RSS MiB': after.residentBytes / 2 ** 20,
      }
    },
  }
}

function artifact(direction: Direction): Omit<Scenario, 'name' | 'title'> {
  return {
    ...{ behind: 'artifacts', base: 'nginx', column: CPU_PER_GIB },
    subjects: ['nginx', 'bare', 'oauth2-proxy', 'gateway'],
    async measure(subject, { bytes }) {
      const before = treeUsage(subject.pids)
      const { result: seconds, grownBytes } = await growthDuring(subject.pids, () =>
        transfer(subject, direction, bytes),
      )
      const after = treeUsage(subject.pids)
      return {
        [CPU_PER_GIB]: (after.cpuUs - before.cpuUs) / 1000 / (bytes / 2 ** 30),
        'MiB/s': bytes / 2 ** 20 / seconds,
        'RSS MiB': after.residentBytes / 2 ** 20,
        'grown MiB': grownBytes / 2 ** 20,
      }
    },
  }
}

import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments, stringify } from 'yaml'

const VERSION = 'v3.22.0'
/** What a Helm that was built from source would otherwise take for granted is long out of date. */
const KUBERNETES = '1.31.0'
const TOOLS = fileURLToPath(new URL('../../.helm/', import.meta.url))
export const CHART = fileURLToPath(new URL('../../deploy/helm/mlflow-auth-gateway/', import.meta.url))

/** A manifest, as far as it is looked at. */
export type Manifest = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
  }
  readonly [field: string]: unknown
}

export type Values = Readonly<Record<string, unknown>>

export type Helm = {
  /** @returns What is wrong, empty if nothing. */
  readonly lint: (values: Values) => string
  /** @throws {Error} With Helm's own words, if the values are refused. */
  readonly template: (values: Values) => readonly Manifest[]
}

/** Helm as it is installed, or else built from its source by Go, once, into `.helm/`. */
export function installHelm(): Helm {
  const program = findHelm()
  const run = (command: readonly string[], values: Values) => {
    const dir = mkdtempSync(join(tmpdir(), 'gateway-chart-'))
    const file = join(dir, 'values.yaml')
    writeFileSync(file, stringify(values))
    const { status, stdout, stderr } = spawnSync(program, [...command, '--values', file], {
      encoding: 'utf8',
    })
    rmSync(dir, { recursive: true })
    return { failed: status !== 0, stdout, stderr }
  }
  return {
    lint: (values) => {
      const { failed, stdout, stderr } = run(['lint', '--strict', CHART], values)
      return failed ? stdout + stderr : ''
    },
    template: (values) => {
      const { failed, stdout, stderr } = run(
        ['template', 'gw', CHART, '--namespace', 'ml', '--kube-version', KUBERNETES],
        values,
      )
      if (failed) throw new Error(stderr)
      return parseAllDocuments(stdout)
        .map((document) => document.toJS() as Manifest | null)
        .filter((manifest) => manifest !== null)
    },
  }
}

function findHelm(): string {
  if (spawnSync('helm', ['version']).status === 0) return 'helm'
  const built = join(TOOLS, 'helm')
  if (existsSync(built)) return built
  process.stdout.write(`Building Helm ${VERSION} from source; a minute or two\n`)
  execFileSync('go', ['install', `helm.sh/helm/v3/cmd/helm@${VERSION}`], {
    env: { ...process.env, GOBIN: TOOLS },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  return built
}

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Command } from 'commander'
import { CATALOGUE } from '../mlflow/catalogue.ts'
import { type CatalogueDifference, compareCatalogue, type ServedRoute } from '../mlflow/catalogue-check.ts'
import { addCommand, type Cli, createGroup, type Outcome, table, UsageError } from './command.ts'

/** Beside this file, in the sources and in a build. */
const SCRIPT = fileURLToPath(new URL('./mlflow-routes.py', import.meta.url))

/** Milliseconds. MLflow without bytecode takes ten seconds to load. */
const PATIENCE_MS = 120_000

const MAX_BYTES = 16 * 1024 * 1024

/** `catalogue check`: what the gateway knows of an installed MLflow, before it is put behind the gateway. */
export function catalogueCommands(cli: Cli): Command {
  const group = createGroup('catalogue', 'the operations of MLflow that the gateway knows')
  addCommand<{ python: string }>(cli, group, {
    usage: 'check',
    summary: 'compare them with what an installed MLflow serves; exit code 1 if they differ',
    options: [
      {
        flags: '--python <path>',
        summary: 'the Python that has this MLflow, such as .venv/bin/python',
        required: true,
      },
    ],
    example: 'npm run -s catalogue:check -- --python /srv/mlflow/.venv/bin/python',
    run: async (_args, { python }) => {
      const { mlflow, routes } = await readRoutes(python)
      return outcomeOf(compareCatalogue(CATALOGUE, mlflow, routes), routes.length)
    },
  })
  return group
}

type Served = { readonly mlflow: string; readonly routes: readonly ServedRoute[] }

/** @throws {UsageError} If that Python cannot be run, or has no MLflow with a tracking server in it. */
async function readRoutes(python: string): Promise<Served> {
  try {
    const options = { timeout: PATIENCE_MS, maxBuffer: MAX_BYTES }
    const { stdout } = await promisify(execFile)(python, [SCRIPT], options)
    return JSON.parse(stdout) as Served
  } catch (fault) {
    const { stderr = '', message } = fault as Error & { readonly stderr?: string }
    const reason = stderr.trim().split('\n').at(-1) || message
    throw new UsageError(`${python} does not show the routes of an MLflow: ${reason}`)
  }
}

function outcomeOf(difference: CatalogueDifference, count: number): Outcome {
  const { unknown, missing } = difference
  return {
    text: [headline(difference, count), unknownText(unknown), missingText(missing)].join(''),
    json: { ...difference, routes: count },
    failed: unknown.length > 0 || missing.length > 0,
  }
}

function headline(
  { version, knowsVersion, judgedAs, unknown, missing }: CatalogueDifference,
  count: number,
): string {
  const standing = knowsVersion
    ? 'a version that the catalogue knows'
    : `not a version that the catalogue knows: judged as ${judgedAs.join(' and ')}`
  const verdict = unknown.length + missing.length === 0 ? 'Each has a row, and each row a route.\n' : ''
  return `MLflow ${version}, ${standing}. It serves ${count} routes.\n${verdict}`
}

function unknownText(routes: CatalogueDifference['unknown']): string {
  if (routes.length === 0) return ''
  const rows = routes.map(({ method, path, endpoint }) => [method, path, endpoint])
  return `\nNew, and refused to everybody by this gateway: ${routes.length}\n${table(['METHOD', 'PATH', 'FUNCTION'], rows, '')}`
}

function missingText(routes: CatalogueDifference['missing']): string {
  if (routes.length === 0) return ''
  const rows = routes.map(({ method, path, operation }) => [method, path, operation])
  return `\nIn the catalogue, and not served: ${routes.length}\n${table(['METHOD', 'PATH', 'OPERATION'], rows, '')}`
}

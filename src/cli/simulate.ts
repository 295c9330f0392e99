import type { Command } from 'commander'
import { InvalidArgumentError } from 'commander'
import { describeResource } from '../admin/explanation-text.ts'
import type { Unjudged } from '../admin/past-questions.ts'
import { type Simulation, simulate, type Verdict } from '../admin/simulation.ts'
import { CATALOGUE } from '../mlflow/catalogue.ts'
import type { Lookup } from '../mlflow/lookup.ts'
import { parsePolicy } from '../policy/policy-file.ts'
import { keepsWorkspacesApart } from '../policy/workspace-name.ts'
import { addCommand, type Cli, type Outcome, table } from './command.ts'
import { readDuration } from './duration.ts'
import { type Gateway, withGateway } from './store-access.ts'

type SimulateOptions = { readonly last?: number; readonly since?: number }

/** Decisions looked at unless told otherwise, and at most. */
const LAST = 10_000
const MOST = 1_000_000

/** `simulate`: what a policy file would have answered differently. */
export function addSimulateCommand(cli: Cli, program: Command): void {
  addCommand<SimulateOptions>(cli, program, {
    usage: 'simulate <file>',
    summary: 'tell which requests of the past a policy file would allow or refuse that are not so now',
    options: [
      {
        flags: '--last <number>',
        summary: `most decisions looked at, the newest; ${LAST} if left out`,
        parse: readCount,
      },
      {
        flags: '--since <duration>',
        summary: 'how far back: 8h, 7d; all that is kept if left out',
        parse: readDuration,
      },
    ],
    example: 'mlflow-auth-gateway simulate policy.yaml --since 7d',
    run: ([path = ''], options) => withGateway(cli, (gateway) => run(cli, path, { gateway, options })),
  })
}

function readCount(value: string): number {
  const count = Number(value)
  if (/^[1-9][0-9]*$/.test(value) && count <= MOST) return count
  throw new InvalidArgumentError(`Use a whole number from 1 to ${MOST}.`)
}

async function run(
  cli: Cli,
  path: string,
  { gateway, options }: { readonly gateway: Gateway; readonly options: SimulateOptions },
): Promise<Outcome> {
  const { store, servicesIn, config, now } = gateway
  const policy = parsePolicy(cli.readFile(path), { providerIds: config.providers.map(({ id }) => id) })
  const lookups = new Map<string, Lookup>()
  const lookupIn = (workspace: string) => {
    const known = lookups.get(workspace)
    if (known !== undefined) return known
    const lookup = keepsWorkspacesApart(config) ? servicesIn(workspace).lookup : gateway.lookup
    lookups.set(workspace, lookup)
    return lookup
  }
  const since = options.since === undefined ? undefined : now() - options.since
  const past = { last: options.last ?? LAST, since }
  const simulation = await simulate(policy, past, { store, config, now, lookupIn, catalogue: CATALOGUE })
  return { text: simulationText(simulation), json: toJson(simulation) }
}

const WHY_NOT: Readonly<Record<Unjudged, string>> = {
  administrator: 'of administrators, who are judged by no grant',
  about_nothing: 'about something that did not exist',
  asks_for_no_grant: 'of operations that ask for no grant; what lists leave out may differ',
  depends_on_more: 'that depend on more than the record tells',
  ended_in_error: 'that ended in an error',
  name_unknown: 'about things whose name the tracking server does not tell now',
  nobody: 'of nobody who was signed in',
  not_on_record: 'without what was asked on record, such as those of earlier versions',
  operation_unknown: "of the gateway's own routes, or of operations it no longer knows",
  other_reason: 'that were refused for a reason which is not one of grants',
  person_gone: 'of people who are gone, disabled, or of a provider that is no longer configured',
}

function simulationText({ decisions, unchanged, changes, unjudged }: Simulation): string {
  const changed = changes.reduce((sum, { times }) => sum + times, 0)
  const rows = changes.map(({ username, operation, resource, workspace, before, after, times, lastAt }) => [
    after.effect === 'allow' ? 'allowed' : 'refused',
    ...[username, operation],
    describeResource(resource) + (workspace === undefined ? '' : ` in ${workspace}`),
    ...[String(times), lastAt.slice(0, 16), describeVerdict(after.effect === 'deny' ? after : before)],
  ])
  const others = Object.entries(unjudged).map(
    ([why, count]) => `${count} were not judged again: ${WHY_NOT[why as Unjudged]}.\n`,
  )
  return [
    `Of ${decisions} decisions ${changed} would be another, ${unchanged} the same.\n`,
    ...others,
    rows.length === 0
      ? ''
      : `\n${table(['WOULD BE', 'PERSON', 'OPERATION', 'ON', 'TIMES', 'LAST', 'WHY'], rows, '')}`,
  ].join('')
}

/** Of a refusal: the one to come, or the one that would be over. */
function describeVerdict(verdict: Verdict): string {
  if (verdict.effect === 'allow') return ''
  const { reason, needed, held } = verdict
  return needed === undefined ? reason : `${reason}: asks for ${needed}, has ${held}`
}

function toJson({ decisions, unchanged, changes, unjudged }: Simulation) {
  return {
    ...{ decisions, unchanged, unjudged },
    changes: changes.map(({ lastAt, ...change }) => ({ ...change, last_at: lastAt })),
  }
}

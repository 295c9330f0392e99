import type { Command } from 'commander'
import { explainFor } from '../admin/explanation.ts'
import { describeVia, explanationText } from '../admin/explanation-text.ts'
import { partsIn } from '../admin/place.ts'
import { type Reach, whoReaches } from '../admin/reach.ts'
import { assertExists, resourceOf } from '../admin/resource.ts'
import { CATALOGUE } from '../mlflow/catalogue.ts'
import { fieldFor, type Subjects, subjectsOf } from '../mlflow/hypothetical.ts'
import { DEFAULT_WORKSPACE, describeGrant, RESOURCE_TYPES, type ResourceType } from '../policy/grants.ts'
import { addCommand, type Cli, type OptionSpec, type Outcome, table, UsageError } from './command.ts'
import { type Gateway, withGateway } from './store-access.ts'

type AccessOptions = Readonly<Partial<Record<string, string>>>
type ExplainOptions = AccessOptions & { readonly user: string; readonly operation: string }

/** `access` and `explain`: who can reach what, and why. The tracking server is asked who owns what. */
export function addAccessCommands(cli: Cli, program: Command): void {
  addCommand<AccessOptions>(cli, program, {
    usage: 'access',
    summary: 'list everybody with a right on a resource, and what it comes from',
    options: [...RESOURCE_TYPES.map(flagFor), IN_WORKSPACE],
    example: 'mlflow-auth-gateway access --experiment 12',
    run: (_args, options) => withGateway(cli, (gateway) => access(gateway, options)),
  })
  addCommand<ExplainOptions>(cli, program, {
    usage: 'explain',
    summary: 'tell why somebody may do something or may not, with every grant that was considered',
    options: [
      { flags: '--user <name>', summary: 'who', required: true },
      { flags: '--operation <name>', summary: 'what, as the audit log names it', required: true },
      ...[...new Set(CATALOGUE.flatMap((row) => [...subjectsOf(row).keys()]))].toSorted().map(flagFor),
      IN_WORKSPACE,
    ],
    example: 'mlflow-auth-gateway explain --user editor --operation runs.delete --run 6c1e0a0f',
    run: (_args, options) => withGateway(cli, (gateway) => explain(gateway, options)),
  })
}

const IN_WORKSPACE: OptionSpec = {
  flags: '--workspace <name>',
  summary: 'with WORKSPACES: in which one, if not in the default one',
}

function flagFor(kind: string): OptionSpec {
  return {
    flags: `--${fieldFor(kind).replaceAll('_', '-')} <key>`,
    summary: `which ${kind.replaceAll('_', ' ')}`,
  }
}

/** What was given of these, under the names that Commander makes of the flags. */
function given(options: AccessOptions, kinds: readonly string[]): readonly (readonly [string, string])[] {
  return kinds.flatMap((kind) => {
    const value = options[fieldFor(kind).replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())]
    return value === undefined ? [] : [[kind, value] as const]
  })
}

async function explain(everywhere: Gateway, options: ExplainOptions): Promise<Outcome> {
  const gateway = partsIn(options['workspace'], everywhere)
  const kinds = CATALOGUE.flatMap((row) => [...subjectsOf(row).keys()])
  const subjects: Subjects = Object.fromEntries(given(options, [...new Set(kinds)]))
  const question = { username: options.user, operation: options.operation, subjects }
  const answer = await explainFor(question, { ...gateway, catalogue: CATALOGUE })
  return { text: explanationText(answer), json: answer }
}

/** People looked at for one page; all pages are printed. */
const PAGE = 500

async function access(everywhere: Gateway, options: AccessOptions): Promise<Outcome> {
  const gateway = partsIn(options['workspace'], everywhere)
  const chosen = given(options, RESOURCE_TYPES)
  const [only] = chosen
  if (only === undefined || chosen.length > 1) {
    const flags = RESOURCE_TYPES.map((type) => flagFor(type).flags.split(' ', 1)[0])
    throw new UsageError(`Say which one resource, with one of ${flags.join(', ')}.`)
  }
  const resource = await resourceOf(only[0] as ResourceType, only[1], gateway)
  assertExists(resource)
  const people: Reach[] = []
  let byDefault = 'NO_PERMISSIONS'
  for (let after: string | undefined = ''; after !== undefined; ) {
    const page = await whoReaches(resource, gateway, { after, limit: PAGE })
    people.push(...page.people)
    byDefault = page.byDefault
    after = page.next
  }
  const rows = people.map(({ username, level, isAdmin, through }) => [
    username,
    level,
    isAdmin
      ? 'administrator'
      : through
          .map(({ grant, via }) => `${describeGrant(grant)}, ${via.map(describeVia).join(' and ')}`)
          .join('; '),
  ])
  const isElsewhere = (gateway.workspace ?? DEFAULT_WORKSPACE) !== DEFAULT_WORKSPACE
  const others = `Everybody else who ${isElsewhere ? 'holds something there' : 'signs in'} has ${byDefault}.\n`
  return {
    text: table(['NAME', 'LEVEL', 'THROUGH'], rows, 'Nobody has a right of their own on it.') + others,
    json: { resource, by_default: byDefault, people },
  }
}

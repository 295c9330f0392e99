import { createHash } from 'node:crypto'
import type { Command } from 'commander'
import { describeFault } from '../policy/policy-error.ts'
import { exportPolicy } from '../policy/policy-export.ts'
import {
  applyPolicy,
  diffPolicy,
  type PolicyDiff,
  type PolicyFile,
  readPolicyFile,
} from '../policy/policy-file.ts'
import type { PolicyFinding } from '../policy/policy-findings.ts'
import { recordAct } from './act.ts'
import { addCommand, type Cli, createGroup, type Outcome } from './command.ts'
import { liveFindings, quietFindings } from './policy-findings.ts'
import { providerIds, withRecord, withStore } from './store-access.ts'

/** `policy check | diff | apply | export`: roles, group mappings and defaults as a file. */
export function policyCommands(cli: Cli): Command {
  const group = createGroup('policy', 'roles, group mappings and defaults as a file')
  addCommand<CheckOptions>(cli, group, {
    usage: 'check <file>',
    summary: 'say everything that is wrong with a policy file, and what in it has no effect; needs no store',
    options: [
      { flags: '--strict', summary: 'fail also for what has no effect' },
      { flags: '--live', summary: 'also look for names that the store and the tracking server do not know' },
    ],
    run: ([file = ''], options) => check(cli, file, options),
  })
  addCommand(cli, group, {
    usage: 'diff <file>',
    summary: 'show what applying a policy file would change, what was done by hand, and what has no effect',
    run: ([path = '']) => {
      const file = read(cli, path)
      return withStore(cli, async (store) => {
        const { text, json } = describe(await diffPolicy(store, file.content))
        const findings = await liveFindings(cli, file, { store, mustAsk: false })
        return { text: text + findingsText(findings), json: { ...(json as object), findings } }
      })
    },
  })
  addCommand<{ readonly dryRun?: boolean }>(cli, group, {
    usage: 'apply <file>',
    summary: 'make the store follow a policy file, whole or not at all; what was done by hand stays',
    options: [{ flags: '--dry-run', summary: 'only show what would change' }],
    run: ([file = ''], { dryRun = false }) => apply(cli, file, dryRun),
  })
  addCommand<{ readonly onlyPolicy?: boolean }>(cli, group, {
    usage: 'export',
    summary: 'print the roles, grants and mappings of the store as a policy file',
    options: [{ flags: '--only-policy', summary: 'without what was done by hand' }],
    example: 'mlflow-auth-gateway policy export > policy.yaml',
    run: (_args, { onlyPolicy = false }) =>
      withStore(cli, async (store) => {
        const rules = await store.roles.rules()
        const { text, leftOut } = exportPolicy(rules, { onlyPolicy, providerIds: providerIds(cli) })
        return { text, json: { policy: text, left_out: leftOut } }
      }),
  })
  return group
}

type CheckOptions = { readonly strict?: boolean; readonly live?: boolean }

async function check(
  cli: Cli,
  path: string,
  { strict = false, live = false }: CheckOptions,
): Promise<Outcome> {
  const file = read(cli, path)
  const findings = live
    ? await withStore(cli, (store) => liveFindings(cli, file, { store, mustAsk: true }))
    : quietFindings(cli, file)
  const { roles, groups, users } = file.content
  const counts = { roles: roles.length, groups: groups.length, users: users.length }
  return {
    text: `${path} is in order: ${counts.roles} roles, ${counts.groups} group and ${counts.users} user mappings.\n${findingsText(findings)}`,
    json: { file: path, valid: true, ...counts, findings },
    failed: strict && findings.length > 0,
  }
}

function findingsText(findings: readonly PolicyFinding[]): string {
  if (findings.length === 0) return ''
  const heading = findings.length === 1 ? '1 thing' : `${findings.length} things`
  return `${heading} in it without effect:\n${findings.map((each) => `${describeFault(each)}\n`).join('')}`
}

function read(cli: Cli, file: string): PolicyFile {
  return readPolicyFile(readText(cli, file), { providerIds: providerIds(cli) })
}

function readText(cli: Cli, file: string): string {
  try {
    return cli.readFile(file)
  } catch (cause) {
    throw new Error(`${file} cannot be read. Check the path, and that you may read it.`, { cause })
  }
}

function apply(cli: Cli, file: string, dryRun: boolean): Promise<Outcome> {
  const text = readText(cli, file)
  const policy = readPolicyFile(text, { providerIds: providerIds(cli) }).content
  if (dryRun) return withStore(cli, async (store) => describe(await diffPolicy(store, policy)))
  return withRecord(cli, async (store) => {
    const outcome = describe(await diffPolicy(store, policy))
    const changed = await applyPolicy(store, policy)
    if (changed) {
      const id = createHash('sha256').update(text).digest('hex')
      const resources = [{ type: 'policy_file', id }]
      await recordAct(store, { event: 'policy_applied', command: 'policy apply', resources })
    }
    return {
      text: changed ? `${outcome.text}Applied.\n` : 'The store follows the file already.\n',
      json: { ...(outcome.json as object), applied: changed },
    }
  })
}

function describe({ added, removed, byHand }: PolicyDiff): Outcome {
  const changes = [...removed.map((line) => `- ${line}\n`), ...added.map((line) => `+ ${line}\n`)]
  const kept = byHand.map((line) => `  ${line}\n`)
  return {
    text: [
      changes.length === 0 ? 'Nothing would change.\n' : changes.join(''),
      kept.length === 0 ? '' : `Done by hand, and kept:\n${kept.join('')}`,
    ].join(''),
    json: { added, removed, by_hand: byHand },
  }
}

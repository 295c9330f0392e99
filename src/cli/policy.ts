import type { Command } from 'commander'
import { exportPolicy } from '../policy/policy-export.ts'
import {
  applyPolicy,
  diffPolicy,
  type PolicyContent,
  type PolicyDiff,
  parsePolicy,
} from '../policy/policy-file.ts'
import { recordAct } from './act.ts'
import { addCommand, type Cli, createGroup, type Outcome } from './command.ts'
import { providerIds, withRecord, withStore } from './store-access.ts'

/** `policy check | diff | apply | export`: roles, group mappings and defaults as a file. */
export function policyCommands(cli: Cli): Command {
  const group = createGroup('policy', 'roles, group mappings and defaults as a file')
  addCommand(cli, group, {
    usage: 'check <file>',
    summary: 'say everything that is wrong with a policy file; needs no store',
    run: async ([file = '']) => {
      const { roles, groups, users } = read(cli, file)
      const counts = { roles: roles.length, groups: groups.length, users: users.length }
      return {
        text: `${file} is in order: ${counts.roles} roles, ${counts.groups} group and ${counts.users} user mappings.\n`,
        json: { file, valid: true, ...counts },
      }
    },
  })
  addCommand(cli, group, {
    usage: 'diff <file>',
    summary: 'show what applying a policy file would change, and what was done by hand',
    run: ([file = '']) => {
      const policy = read(cli, file)
      return withStore(cli, async (store) => describe(await diffPolicy(store, policy)))
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

function read(cli: Cli, file: string): PolicyContent {
  return parsePolicy(readText(cli, file), { providerIds: providerIds(cli) })
}

function readText(cli: Cli, file: string): string {
  try {
    return cli.readFile(file)
  } catch (cause) {
    throw new Error(`${file} cannot be read. Check the path, and that you may read it.`, { cause })
  }
}

function apply(cli: Cli, file: string, dryRun: boolean): Promise<Outcome> {
  const policy = read(cli, file)
  if (dryRun) return withStore(cli, async (store) => describe(await diffPolicy(store, policy)))
  return withRecord(cli, async (store) => {
    const outcome = describe(await diffPolicy(store, policy))
    const changed = await applyPolicy(store, policy)
    if (changed) {
      await recordAct(store, { event: 'policy_applied', command: 'policy apply', resources: [] })
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

import { Command, CommanderError } from 'commander'
import { scrub } from '../audit/program-log.ts'
import { ConfigError } from '../config/fault.ts'
import { addAccessCommands } from './access.ts'
import { auditCommands } from './audit.ts'
import { catalogueCommands } from './catalogue.ts'
import { type Cli, FailedOutcome, UsageError } from './command.ts'
import { addDoctorCommand } from './doctor.ts'
import { groupCommands } from './group.ts'
import { keyCommands } from './keys.ts'
import { lockdownCommands } from './lockdown.ts'
import { policyCommands } from './policy.ts'
import { roleCommands } from './role.ts'
import { sessionCommands } from './sessions.ts'
import { addSimulateCommand } from './simulate.ts'
import { storeCommands } from './store.ts'
import { tokenCommands } from './token.ts'
import { userCommands } from './user.ts'

/** What the process exits with. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const

/**
 * Runs one command of `mlflow-auth-gateway`. It works on the store directly, so the server may be running or not.
 *
 * @param args Without the program's own name.
 * @returns 0 if it did what was asked; 1 if it could not; 2 if the command or the configuration has to be corrected.
 */
export async function runCli(args: readonly string[], cli: Cli): Promise<number> {
  try {
    await createProgram(cli).parseAsync(args, { from: 'user' })
    return EXIT.done
  } catch (fault) {
    return report(fault, cli)
  }
}

function createProgram(cli: Cli): Command {
  const program = new Command('mlflow-auth-gateway')
    .description(
      'Sign-in, roles and tokens of the gateway in front of MLflow. Reads the same variables as the server.',
    )
    .showHelpAfterError('(see --help)')
  const groups = [
    tokenCommands,
    userCommands,
    roleCommands,
    groupCommands,
    policyCommands,
    keyCommands,
    sessionCommands,
    lockdownCommands,
    auditCommands,
    storeCommands,
    catalogueCommands,
  ]
  for (const commands of groups) program.addCommand(commands(cli))
  addAccessCommands(cli, program)
  addSimulateCommand(cli, program)
  addDoctorCommand(cli, program)
  settle(program, cli)
  return program
}

/** Commander must neither end the process nor write past the given streams, at whatever level it finds a fault. */
function settle(command: Command, cli: Cli): void {
  command.exitOverride().configureOutput({ writeOut: cli.out, writeErr: cli.err })
  for (const child of command.commands) settle(child, cli)
}

function report(fault: unknown, { err }: Cli): number {
  // Commander has written what is wrong itself; help that was asked for has exit code 0.
  if (fault instanceof CommanderError) return fault.exitCode === 0 ? EXIT.done : EXIT.usage
  if (fault instanceof FailedOutcome) return EXIT.failed
  err(`error: ${fault instanceof Error ? scrub(fault.message) : 'a value that is no error was thrown'}\n`)
  return fault instanceof ConfigError || fault instanceof UsageError ? EXIT.usage : EXIT.failed
}

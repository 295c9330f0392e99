import { Command } from 'commander'

/** What a command touches of the world around it. */
export type Cli = {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Seconds since the epoch. */
  readonly now: () => number
  /** Reads a text file; throws if it cannot. */
  readonly readFile: (path: string) => string
  readonly out: (text: string) => void
  /** Resolves once what was written has been taken, so that what is long need not be held in memory. */
  readonly drained?: (() => Promise<void>) | undefined
  readonly err: (text: string) => void
  /** From the first call on, Ctrl-C ends what would go on by itself, and not the process. Absent: nothing ends it. */
  readonly stopped?: (() => AbortSignal) | undefined
}

/** What a command has to say: `text` for people, `json` for programs (`--json`). */
export type Outcome = {
  readonly text: string
  /** Undefined for a command that has written its lines itself. */
  readonly json: unknown
  /** The answer is no: the process exits with 1, as it does when a command could not do what was asked. */
  readonly failed?: boolean
}

/** The command was written in a way that cannot be carried out. The message says what to write instead. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** Everything has been said already; what is left is the exit code. */
export class FailedOutcome extends Error {
  override readonly name = 'FailedOutcome'
}

/** One option: its flags, what it does, and perhaps how its value is read. */
export type OptionSpec = {
  readonly flags: string
  readonly summary: string
  readonly required?: boolean
  readonly parse?: (value: string) => unknown
}

export type CommandSpec<Options> = {
  /** Name and arguments, e.g. `grant <role>`. */
  readonly usage: string
  readonly summary: string
  readonly options?: readonly OptionSpec[]
  /** Shown after the help's options. */
  readonly example?: string
  readonly run: (args: readonly string[], options: Options) => Promise<Outcome>
}

/** A group of commands, e.g. `token`. Without a command of it, its help is shown. */
export function createGroup(name: string, summary: string): Command {
  return new Command(name).description(summary)
}

/** Adds a command to a group. Every command has `--help` and `--json`. */
export function addCommand<Options>(cli: Cli, group: Command, spec: CommandSpec<Options>): void {
  const command = group.command(spec.usage).description(spec.summary)
  for (const { flags, summary, required = false, parse = (value: string) => value } of spec.options ?? []) {
    if (required) command.requiredOption(flags, summary, parse)
    else if (flags.includes('<')) command.option(flags, summary, parse)
    else command.option(flags, summary)
  }
  command.option('--json', 'print JSON')
  if (spec.example !== undefined) command.addHelpText('after', `\nExample:\n  ${spec.example}\n`)
  command.action(async () => {
    const options = command.opts<Options & { json?: boolean }>()
    const { text, json, failed } = await spec.run(command.args, options)
    const asJson = options.json === true && json !== undefined
    cli.out(asJson ? `${JSON.stringify(json, null, 2)}\n` : text)
    if (failed) throw new FailedOutcome()
  })
}

/** @returns Columns as wide as their widest cell, for people; or the sentence if there are no rows. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], empty: string): string {
  if (rows.length === 0) return `${empty}\n`
  const lines = [head, ...rows.map((row) => row.map(printable))]
  const widths = head.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)))
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

/** Without what a terminal would carry out: names come from providers, and rows from whoever wrote to the database. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '\u{fffd}')
}

/** @param at Seconds since the epoch. @returns e.g. `2026-11-25 09:00Z`. */
export function minuteOf(at: number | undefined, absent: string): string {
  return at === undefined
    ? absent
    : new Date(at * 1000)
        .toISOString()
        .replace('T', ' ')
        .replace(/:\d\d\.\d{3}Z/, 'Z')
}

import { networkInterfaces } from 'node:os'
import type { Command } from 'commander'
import { scrub } from '../audit/program-log.ts'
import { readConfig } from '../config.ts'
import type { Finding, Result } from '../doctor/check.ts'
import { allChecks } from '../doctor/checks.ts'
import { runChecks } from '../doctor/run.ts'
import type { Setup } from '../doctor/setup.ts'
import { addCommand, type Cli, type Outcome, printable } from './command.ts'

/** `doctor`: looks at the whole set-up and says what to do. */
export function addDoctorCommand(cli: Cli, program: Command): void {
  addCommand<{ readonly json?: boolean }>(cli, program, {
    usage: 'doctor',
    summary:
      'check the whole set-up, and say what to do; exit code 1 if anything is at fault. Changes nothing',
    example: 'docker compose exec gateway node dist/src/cli.js doctor',
    run: (_args, options) => diagnose(cli, options.json === true),
  })
}

async function diagnose(cli: Cli, asJson: boolean): Promise<Outcome> {
  const results: Result[] = []
  for await (const found of runChecks(allChecks(setupOf(cli)))) {
    const result = withoutSecrets(found)
    results.push(result)
    if (!asJson) cli.out(textOf(result))
  }
  const counts = countLevels(results)
  const failed = counts.fault > 0
  const json = { sound: !failed, ...counts, checks: results }
  return { text: summaryOf(counts), json, failed }
}

function setupOf({ env, readFile }: Cli): Setup {
  const config = readConfig({ ...env }, readFile)
  return {
    ...{ config, env, fetch },
    nowMs: Date.now,
    ownAddresses: Object.values(networkInterfaces()).flatMap((all = []) =>
      all
        .filter(({ internal, address }) => !internal && !address.startsWith('fe80:'))
        .map(({ address }) => address),
    ),
    uid: process.getuid?.(),
  }
}

/** What others said is in some findings: nothing of it may look like a token, and no terminal may act on it. */
function withoutSecrets(result: Result): Result {
  const clean = (text: string) => printable(scrub(text))
  if (!('why' in result)) return { ...result, what: clean(result.what) }
  return { ...result, what: clean(result.what), why: clean(result.why), advice: clean(result.advice) }
}

const MARKS: Readonly<Record<Finding['level'], string>> = { ok: '✓', skipped: '-', warning: '!', fault: '✗' }

function textOf(result: Result): string {
  const line = `${MARKS[result.level]} ${result.name}: ${result.what}\n`
  if (!('why' in result)) return line
  return `${line}    ${result.why}\n    → ${result.advice}\n`
}

type Counts = Readonly<Record<Finding['level'], number>>

function countLevels(results: readonly Result[]): Counts {
  const count = (level: Finding['level']) => results.filter((result) => result.level === level).length
  return { ok: count('ok'), skipped: count('skipped'), warning: count('warning'), fault: count('fault') }
}

function summaryOf({ ok, skipped, warning, fault }: Counts): string {
  const many = (count: number, word: string) => `${count} ${word}${count === 1 ? '' : 's'}`
  return `\n${many(fault, 'fault')}, ${many(warning, 'warning')}, ${ok} in order, ${skipped} that cannot be seen from here\n`
}

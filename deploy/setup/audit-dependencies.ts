/**
 * `npm run audit:dependencies`: every known hole in the packages of the lock file, each on a line. Exits with 0 if there is
 * none, or each is explained in docs/dependencies.md; with 1 otherwise; with 2 if nothing could be found out.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** One advisory on one package. */
export type Finding = {
  /** `GHSA-xxxx-xxxx-xxxx`, or the registry's own number where it gives no such id. */
  readonly id: string
  readonly package: string
  readonly severity: string
  readonly title: string
  /** Versions concerned. */
  readonly range: string
}

type Via = {
  readonly source: number
  readonly name: string
  readonly title: string
  readonly url: string
  readonly severity: string
  readonly range: string
}

type Report = {
  readonly message?: string
  readonly vulnerabilities?: Readonly<Record<string, { readonly via: readonly (string | Via)[] }>>
}

/**
 * The findings in what `npm audit --json` prints (report version 2), each once, however many packages lead to it.
 *
 * @throws {Error} If it is no report: what was not checked must not pass for what is clean.
 */
export function readFindings(json: string): readonly Finding[] {
  const { vulnerabilities, message } = parseReport(json)
  if (vulnerabilities === undefined) throw new Error(message ?? 'npm audit printed no report')
  const findings = new Map<string, Finding>()
  for (const { via } of Object.values(vulnerabilities)) {
    for (const cause of via) {
      // A name alone says which other package the hole is in; that one has its own entry.
      if (typeof cause === 'string') continue
      const { name, severity, title, range } = cause
      const id = /GHSA(?:-\w{4}){3}/.exec(cause.url)?.[0] ?? String(cause.source)
      findings.set(`${id} ${name}`, { id, package: name, severity, title, range })
    }
  }
  return [...findings.values()]
}

function parseReport(json: string): Report {
  try {
    return JSON.parse(json) as Report
  } catch (cause) {
    throw new Error('npm audit printed no report', { cause })
  }
}

/** What docs/dependencies.md explains: rows `| id | package | why it does not concern us |`, the last not empty. */
export function readExplanations(markdown: string): ReadonlyMap<string, string> {
  const [, section = ''] = markdown.split('## Known holes that do not concern us')
  const rows = section.matchAll(/^\| `([^`]+)` \| `([^`]+)` \| (\S.*?) \|$/gm)
  return new Map([...rows].map(([, id, name, why = '']) => [`${id} ${name}`, why]))
}

/** The lines to print, and how many findings nobody has explained. */
export function judge(findings: readonly Finding[], explanations: ReadonlyMap<string, string>) {
  const keys = new Set(findings.map((finding) => `${finding.id} ${finding.package}`))
  const lines = findings.map((finding) => {
    const why = explanations.get(`${finding.id} ${finding.package}`)
    const { id, severity, title, range } = finding
    return `${severity.padEnd(9)} ${finding.package} ${range}  ${id}  ${title}: ${why ?? 'NOT EXPLAINED'}`
  })
  const stale = [...explanations.keys()].filter((key) => !keys.has(key))
  return {
    lines: [...lines, ...stale.map((key) => `no longer found, take it out of docs/dependencies.md: ${key}`)],
    open: findings.filter(({ id, package: name }) => !explanations.has(`${id} ${name}`)).length,
  }
}

function main(): number {
  const { stdout } = spawnSync('npm', ['audit', '--json', '--package-lock-only'], { encoding: 'utf8' })
  try {
    const documentation = new URL('../../docs/dependencies.md', import.meta.url)
    const explanations = readExplanations(readFileSync(documentation, 'utf8'))
    const { lines, open } = judge(readFindings(stdout), explanations)
    for (const line of lines) console.log(line)
    console.log(
      open === 0 ? 'No finding without an explanation' : `${open} not explained in docs/dependencies.md`,
    )
    return open === 0 ? 0 : 1
  } catch (fault) {
    console.error(`Nothing was checked: ${(fault as Error).message}`)
    return 2
  }
}

if (import.meta.main) process.exitCode = main()

import type { PolicyFault } from './policy-document.ts'

/** Everything that is wrong with a policy file, with the line and what to do. */
export class PolicyError extends Error {
  readonly faults: readonly PolicyFault[]

  constructor(faults: readonly PolicyFault[]) {
    super(describeFaults(faults))
    this.name = 'PolicyError'
    this.faults = faults
  }
}

function describeFaults(faults: readonly PolicyFault[]): string {
  const heading = faults.length === 1 ? '1 fault' : `${faults.length} faults`
  return [`The policy file has ${heading}:`, ...faults.map(describeFault)].join('\n')
}

/** One thing wrong, with its line and what to do, as two lines of text. */
export function describeFault({ line, place, problem, remedy }: PolicyFault): string {
  return `  line ${line}: ${place === '' ? '' : `${place} `}${problem}\n    ${remedy}`
}

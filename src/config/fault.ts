/** One thing wrong with one variable. Never holds the variable's value: it may be a secret, or a secret on the wrong line. */
export type Fault = {
  /** The variable's name, e.g. `OIDC_CORP_ISSUER`. */
  readonly name: string
  /** What is wrong, as the rest of a sentence that begins with the name: `is not set`. */
  readonly problem: string
  /** What to do, as a sentence. */
  readonly remedy: string
}

/** Every fault of a configuration at once, so that an operator corrects them in one go. */
export class ConfigError extends Error {
  readonly faults: readonly Fault[]

  constructor(faults: readonly Fault[]) {
    super(describe(faults))
    this.name = 'ConfigError'
    this.faults = faults
  }
}

function describe(faults: readonly Fault[]): string {
  const heading = faults.length === 1 ? '1 fault' : `${faults.length} faults`
  const lines = faults.map(({ name, problem, remedy }) => `  ${name} ${problem}\n    ${remedy}`)
  return [`The configuration has ${heading}:`, ...lines].join('\n')
}

/** Collects faults. The first one of a variable (or of its `_FILE`) counts: what follows from it would only confuse. */
export type FaultList = {
  readonly add: (name: string, problem: string, remedy: string) => void
  readonly all: () => readonly Fault[]
}

export function createFaultList(): FaultList {
  const faults = new Map<string, Fault>()
  return {
    add(name, problem, remedy) {
      if (!faults.has(name) && !faults.has(`${name}_FILE`)) faults.set(name, { name, problem, remedy })
    },
    all: () => [...faults.values()],
  }
}

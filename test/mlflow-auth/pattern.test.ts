import { describe, expect, it } from 'vitest'
import { readLevel, readPattern, readType, writePattern } from '../../src/mlflow-auth/pattern.ts'
import { GRANT_TYPES, isWildcardOnly } from '../../src/policy/grants.ts'

const REFUSED = expect.objectContaining({ code: 'ERR_INVALID_PARAMETER' })

/** `undefined` if it is refused as it should be. */
function read(...[type, text]: Parameters<typeof readPattern>) {
  try {
    const { match, pattern } = readPattern(type, text)
    return `${match} ${pattern}`
  } catch (fault) {
    expect(fault).toEqual(REFUSED)
    return undefined
  }
}

describe('a pattern', () => {
  it.each([
    ['experiment', '*', 'any *'],
    ['experiment', '12', 'exact 12'],
    ['experiment', 'exact:12', 'exact 12'],
    ['experiment', 'name:alpha/*', 'name alpha/*'],
    ['experiment', 'name:*', 'name *'],
    ['registered_model', 'alpha-model', 'exact alpha-model'],
    ['registered_model', 'alpha-*', 'exact alpha-*'],
    ['registered_model', 'exact:*', 'exact *'],
    ['registered_model', 'exact:name:x', 'exact name:x'],
    ['registered_model', 'exact:exact:x', 'exact exact:x'],
    ['registered_model', ' name:x', 'exact  name:x'],
    ['scorer', '1/a%2Fb', 'exact 1/a%2Fb'],
    ['run', '*', 'any *'],
    ['workspace', '*', 'any *'],
  ] as const)('on %s: %j is %s', (type, text, expected) => {
    expect(read(type, text)).toBe(expected)
  })

  it.each([
    ['experiment', ''],
    ['experiment', 'alpha/one'],
    ['experiment', '01'],
    ['experiment', '1 '],
    ['experiment', '١'],
    ['experiment', 'exact:alpha/one'],
    ['experiment', 'exact:*'],
    ['registered_model', 'name:'],
    ['registered_model', 'exact:'],
    ['registered_model', 'a\nb'],
    ['registered_model', 'x'.repeat(1001)],
    ['scorer', 'relevance'],
    ['scorer', '1/'],
    ['scorer', 'x/relevance'],
    ['run', 'a'.repeat(32)],
    ['run', 'name:x'],
    ['run', 'exact:*'],
    ['workspace', 'default'],
  ] as const)('on %s cannot be %j', (type, text) => {
    expect(read(type, text)).toBeUndefined()
  })

  it('is written so that it reads as what it was', () => {
    const keys = ['*', 'a', 'name:a', 'exact:a', 'exact:*', 'name:*', 'alpha/*']
    for (const match of ['exact', 'name', 'any'] as const) {
      for (const key of keys) {
        const pattern = match === 'any' ? '*' : key
        const grant = { resourceType: 'registered_model', match, pattern } as const
        expect(readPattern('registered_model', writePattern(grant))).toEqual(grant)
      }
    }
  })
})

describe('a level', () => {
  it.each(GRANT_TYPES)('on %s is one of those MLflow takes', (type) => {
    const taken = ['READ', 'USE', 'EDIT', 'MANAGE', 'DENY', 'NO_PERMISSIONS', 'read', ''].filter((level) => {
      try {
        return readLevel(type, level) === level
      } catch (fault) {
        expect(fault).toEqual(REFUSED)
        return false
      }
    })
    expect(taken).toEqual(
      type === 'workspace' ? ['USE', 'MANAGE'] : ['READ', 'USE', 'EDIT', 'MANAGE', 'DENY'],
    )
    expect(isWildcardOnly(type) ? read(type, 'x') : undefined).toBeUndefined()
  })
})

describe('a type', () => {
  it.each(['', '*', 'Experiment', 'experiments', 'server', '__proto__'])('is not %j', (text) => {
    expect(() => readType(text)).toThrow(REFUSED)
  })
})

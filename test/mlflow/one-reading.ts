import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'
import { type JsonDocument, readJsonObject, scanJsonObject } from '../../src/mlflow/json.ts'
import { attempt } from './examples.ts'

/** What came of reading: the document with every place in it, or the refusal. */
export function outcome(read: () => JsonDocument): unknown {
  const document = attempt(read)
  if (typeof document === 'string') return document
  // Not before the document is there: what reading lets pass must not be refused by looking for places in it.
  const { text, value, root } = document
  // As text too: that tells an own `__proto__` from none, and the order of the members.
  return { text, value, root, written: JSON.stringify(value) }
}

/** Holds the quick reading of a body to the careful one. */
export function expectOneReading(bytes: Uint8Array): void {
  const [quick, careful] = [outcome(() => readJsonObject(bytes)), outcome(() => scanJsonObject(bytes))]
  // Not `toStrictEqual`, to which a member called `constructor` says what an object is.
  if (!isDeepStrictEqual(quick, careful)) expect(quick).toEqual(careful)
  expect(isDeepStrictEqual(quick, careful)).toBe(true)
}

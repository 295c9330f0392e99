import { isObject } from './lookup-answer.ts'

/** Asks MLflow with the gateway's own connection: a path below `/api/`. `undefined`: there is no such thing (404). */
export type AskMlflow = (path: string) => Promise<Record<string, unknown> | undefined>

/** How MLflow is asked about one thing by its id or name. */
export type Question<V extends object | string> = {
  /** Seconds that an answer is believed; 0 for good, where it can never change. */
  readonly ttl: number
  /**
   * @returns `undefined` if there is no such thing, and for nothing else.
   * @throws {GatewayError} `ERR_UPSTREAM_INVALID` if the answer does not say what was asked: never a guess.
   */
  readonly ask: (ask: AskMlflow, key: string) => Promise<V | undefined>
}

/** Makes a question, so that the type of its answer is kept. */
export function question<V extends object | string>(
  ttl: number,
  ask: (ask: AskMlflow, key: string) => Promise<V | undefined>,
): Question<V> {
  return { ttl, ask }
}

/** The member of an answer that is a list of texts, all of them; `undefined` if it is anything else. */
export function textsIn(
  answer: Readonly<Record<string, unknown>>,
  field: string,
): readonly string[] | undefined {
  const value = answer[field] ?? []
  const all = Array.isArray(value) && value.every((each): each is string => typeof each === 'string')
  return all ? (value as readonly string[]) : undefined
}

/** The member of an answer that is an object. */
export function objectIn(
  answer: Readonly<Record<string, unknown>>,
  field: string,
): Readonly<Record<string, unknown>> | undefined {
  const value = answer[field]
  return isObject(value) ? value : undefined
}

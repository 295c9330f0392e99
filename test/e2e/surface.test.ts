import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ARTIFACTS } from '../support/attacks/artifacts.ts'
import { FRAMING } from '../support/attacks/framing.ts'
import { GRAPHQL } from '../support/attacks/graphql.ts'
import { IDENTITY } from '../support/attacks/identity.ts'
import { METHODS } from '../support/attacks/methods.ts'
import { PATH } from '../support/attacks/path.ts'
import { QUERY_AND_BODY } from '../support/attacks/query-and-body.ts'
import { REACHING_ACROSS } from '../support/attacks/reaching-across.ts'
import { WORKSPACES } from '../support/attacks/workspaces.ts'
import { startWorld, tenantsSeenIn, type World } from '../support/parser/world.ts'
import { rawExchange } from '../support/raw-request.ts'
import { type Ask, bytesOf } from '../support/spoken-request.ts'

/**
 * The attacks: what MLflow's HTTP surface offers somebody who may do everything in one experiment (A) and nothing in
 * another (B), line by line: spellings that two parsers read differently, files by their paths, operations that reach
 * from one thing to another, headers, workspaces. Traces and jobs open to everybody (CVE-2025-15381, CVE-2026-0545,
 * CVE-2026-2652), artifacts beside the rules (CVE-2025-14297) and borrowed sources (CVE-2026-69148) are among them.
 *
 * Each is sent over a raw socket to the gateway in front of a real MLflow, and to that MLflow itself, which shows that
 * it is an attack: what B holds must neither change nor be seen through the gateway.
 */
const ATTACKS = [
  PATH,
  METHODS,
  QUERY_AND_BODY,
  FRAMING,
  ARTIFACTS,
  REACHING_ACROSS,
  GRAPHQL,
  IDENTITY,
  WORKSPACES,
]

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world?.stop())
afterEach(() => {
  world.gateway.events.length = 0
})

/** What belongs to B, or to nobody. */
function isTheirs(owner: string): boolean {
  const { experiment, registered_model, prompt } = world.ids.alpha
  const own = [
    `experiment:${experiment}`,
    `file:${experiment}`,
    `registered:${registered_model}`,
    `registered:${prompt}`,
  ]
  return !own.includes(owner)
}

async function bare(ask: Ask): Promise<string> {
  const { gateway, mlflowPort, state } = world
  const { as: _, ...anonymous } = ask
  const exchange = await rawExchange(mlflowPort, bytesOf(anonymous, mlflowPort, gateway.members))
  const [answer] = exchange.responses
  const seen = tenantsSeenIn(exchange.received.toString('latin1')).includes('beta') ? ' seen' : ''
  const changed = [...state.undo()].some(isTheirs) ? ' changed' : ''
  return `${answer?.status ?? 'no answer'}${seen}${changed}`
}

describe.each(ATTACKS)('$of', ({ attacks }) => {
  it.each(attacks)('%s', async (_, asking, wanted, wantedOfMlflow) => {
    const { gateway, ids, state } = world
    const ask: Ask = { as: 'editor', ...asking({ A: ids.alpha, B: ids.beta }) }
    const { line, body } = await gateway.ask(ask)
    expect([...state.undo()].filter(isTheirs)).toEqual([])
    expect(tenantsSeenIn(body.toString('latin1'))).not.toContain('beta')
    expect(line).toBe(wanted)
    if (wantedOfMlflow !== undefined) expect(await bare(ask)).toBe(wantedOfMlflow)
  })
})

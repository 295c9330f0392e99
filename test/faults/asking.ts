import { randomInt } from 'node:crypto'
import { Pool } from 'undici'
import type { Ledger } from './ledger.ts'
import type { Credential, Person } from './people.ts'
import { type Answer, anyKind, type Kind, type Outcome, type Place } from './requests.ts'

/** One connection at a time to one address, kept. */
export type Line = { readonly name: string; readonly pool: Pool }

/** @param ca Who vouches for the server, PEM. */
export function openLine(name: string, url: string, ca: string): Line {
  return { name, pool: new Pool(url, { connections: 1, allowH2: false, connect: { ca } }) }
}

export type Asker = {
  /** Sends one request, and has what comes of it recorded. Never fails. */
  readonly ask: (line: Line, person: Person, kind: Kind, credential?: Credential) => Promise<Outcome>
  /** Sends requests of any kind, one after the other, until told to stop. */
  readonly work: (line: Line, person: Person) => void
  /** Goes on sending what has ended, if anything has. */
  readonly haunt: (line: Line, person: Person, ended: readonly Credential[]) => void
  /** Resolves when nothing is under way any more. */
  readonly stop: () => Promise<void>
}

export function createAsker(place: Place, ledger: Ledger): Asker {
  let turn = 0
  let going = true
  const workers: Promise<void>[] = []
  const ask: Asker['ask'] = async (line, person, kind, credential = person.credential) => {
    turn += 1
    const sent = kind.ask(place, person.runId, turn)
    const headers = await credential.headers()
    const from = performance.now()
    const type = sent.method === 'POST' ? { 'content-type': 'application/json' } : undefined
    const outcome = await line.pool
      .request({
        ...{ method: sent.method, path: sent.path, body: sent.body ?? null },
        headers: { ...type, ...headers },
      })
      .then(async (response) => {
        const bytes = Buffer.from(await response.body.arrayBuffer())
        credential.receive([response.headers['set-cookie'] ?? []].flat())
        return outcomeOf(kind, place, toAnswer(response.statusCode, bytes))
      })
      .catch((fault: Error): Outcome => `lost: ${fault.message}`)
    ledger.note({ person, credential, kind, sent, via: line.name, from, until: performance.now(), outcome })
    return outcome
  }
  const until = async (step: () => Promise<unknown>, pauseMs: number) => {
    while (going) {
      await step()
      await pause(pauseMs / 2 + randomInt(pauseMs))
    }
  }
  return {
    ask,
    work: (line, person) => void workers.push(until(() => ask(line, person, anyKind()), 40)),
    haunt: (line, person, ended) =>
      void workers.push(
        until(async () => {
          const credential = ended[randomInt(Math.max(1, ended.length))]
          if (credential !== undefined) await ask(line, person, anyKind(), credential)
        }, 100),
      ),
    async stop() {
      going = false
      await Promise.all(workers)
    },
  }
}

/** What the lockdown says to whoever it refuses. */
export const LOCKDOWN_REASON = 'practised in a test'

function toAnswer(status: number, bytes: Buffer): Answer {
  try {
    return { status, bytes, json: JSON.parse(bytes.toString('utf8')) }
  } catch {
    return { status, bytes, json: undefined }
  }
}

const REFUSALS: Readonly<{ [status: number]: readonly [code: string, outcome: Outcome] }> = {
  401: ['UNAUTHENTICATED', 'unauthenticated'],
  403: ['PERMISSION_DENIED', 'forbidden'],
  503: ['TEMPORARILY_UNAVAILABLE', 'locked down'],
}

function outcomeOf(kind: Kind, place: Place, answer: Answer): Outcome {
  if (answer.status === 200) return kind.read(answer, place)
  const text = `${answer.status} ${answer.bytes.toString('utf8').slice(0, 200)}`
  const { error_code: code, message } = (answer.json ?? {}) as { error_code?: string; message?: string }
  // HAProxy says that it reached nobody, or that nobody answered, by pages of its own.
  if (code === undefined) return answer.status >= 502 ? `lost: ${text}` : `unexpected: ${text}`
  const refusal = REFUSALS[answer.status]
  if (refusal?.[0] !== code) return `unexpected: ${text}`
  if (code === 'TEMPORARILY_UNAVAILABLE' && !message?.includes(LOCKDOWN_REASON)) return `unexpected: ${text}`
  return refusal[1]
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

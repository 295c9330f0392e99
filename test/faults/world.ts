import { randomBytes } from 'node:crypto'
import { createBrowser } from '../support/browserless-sign-in.ts'
import { type Asker, createAsker, type Line, openLine } from './asking.ts'
import { type Company, REPLICAS, type ReplicaId, startCompany } from './company.ts'
import { createFact, type Fact } from './fact.ts'
import { createLedger, type Ledger } from './ledger.ts'
import {
  type Credential,
  type Person,
  providerCredential,
  sessionCredential,
  tokenCredential,
} from './people.ts'
import type { Level, Lockdown, Place } from './requests.ts'

/** Each one's groups at the provider, and how they are known to the gateway. */
const PEOPLE = {
  anna: { groups: ['editors'], by: 'session', level: 'EDIT' },
  bert: { groups: ['readers'], by: 'session', level: 'READ' },
  cora: { groups: [], by: 'token', level: 'EDIT' }, // by a grant of her own
  dora: { groups: ['editors'], by: 'token', level: 'EDIT' },
  emil: { groups: ['editors'], by: 'provider', level: 'EDIT' },
  otto: { groups: [], by: 'token', level: 'none' },
} as const satisfies Readonly<{ [name: string]: { groups: readonly string[]; by: string; level: Level } }>

export type Name = keyof typeof PEOPLE
export const NAMES = Object.keys(PEOPLE) as readonly Name[]

const POLICY = `
version: 1
roles:
  - name: shared-editor
    grants: [{ experiment: { name: "shared/*" }, level: EDIT }]
  - name: shared-reader
    grants: [{ experiment: { name: "shared/*" }, level: READ }]
groups:
  editors: [shared-editor]
  readers: [shared-reader]
`

export type World = {
  readonly company: Company
  readonly place: Place
  readonly ledger: Ledger
  readonly asker: Asker
  readonly lockdown: Fact<Lockdown>
  readonly people: Readonly<{ [name in Name]: Person }>
  /** What has been taken from somebody for good. */
  readonly ended: Credential[]
  /** Past HAProxy. */
  readonly direct: (id: ReplicaId) => Line
  readonly throughHaproxy: (name: string) => Line
  /** Asks the JSON API of a replica, as the administrator. @throws {Error} unless it answers 2xx. */
  readonly admin: (id: ReplicaId, method: string, path: string, body?: unknown) => Promise<unknown>
  /** By which the JSON API knows a person. */
  readonly idOf: (name: Name) => string
  /** A new session, or a new access token. */
  readonly renew: (name: Name) => Promise<void>
  /** In another browser, which is then put away. */
  readonly signInElsewhere: (name: Name) => Promise<unknown>
  readonly stop: () => Promise<void>
}

/** Everything runs, everybody is signed in, and nobody has asked for anything yet. */
export async function createWorld(): Promise<World> {
  const groups = Object.fromEntries(Object.entries(PEOPLE).map(([name, { groups }]) => [name, groups]))
  const company = await startCompany({ people: { ...groups, admin: ['admins'] }, policy: POLICY })
  try {
    const place = await furnish(company)
    const admin = createAdmin(company)
    await admin('1', 'GET', '/me')
    const people = {} as { [name in Name]: Person }
    const lockdown = createFact<Lockdown>('off')
    const ledger = createLedger(lockdown)
    const ids = new Map<string, string>()
    const lines: Line[] = []
    const line = (name: string, url: string) => {
      const opened = openLine(name, url, company.haproxy.certificate)
      lines.push(opened)
      return opened
    }
    const world: World = {
      ...{ company, place, ledger, lockdown, people, admin, ended: [], asker: createAsker(place, ledger) },
      direct: (id) => line(`replica ${id}`, company.replica(id).url),
      throughHaproxy: (name) => line(`HAProxy for ${name}`, company.publicUrl),
      renew: async (name) => {
        people[name].credential = await newCredential(company, name)
      },
      idOf: (name) => ids.get(name) ?? '',
      signInElsewhere: (name) => signIn(company, name),
      stop: async () => {
        await Promise.all(lines.map(({ pool }) => pool.destroy()))
        await company.stop()
      },
    }
    for (const name of NAMES) people[name] = await introduce(company, place, name)
    const known = (await admin('1', 'GET', '/people')) as { people: { id: string; username: string }[] }
    for (const { id, username } of known.people) ids.set(username, id)
    await admin('1', 'POST', '/grants', grantOf('cora', place))
    return world
  } catch (fault) {
    await company.stop()
    throw fault
  }
}

/** What makes somebody an editor of the shared experiment by a grant of their own. */
export function grantOf(name: Name, { shared }: Place) {
  return { username: name, resource_type: 'experiment', key: shared.id, level: 'EDIT' }
}

async function introduce(company: Company, place: Place, name: Name): Promise<Person> {
  // By the browser once, so that the gateway knows the person; whoever else makes a token could not be found.
  await signIn(company, name)
  const runId = await createRun(company.mlflow.url, place.shared.id)
  const credential = await newCredential(company, name)
  return { name, runId, credential, level: createFact<Level>(PEOPLE[name].level) }
}

async function newCredential(company: Company, name: Name): Promise<Credential> {
  const { by } = PEOPLE[name]
  if (by === 'session') return sessionCredential(await signIn(company, name), company.publicUrl)
  if (by === 'provider') return providerCredential(() => company.keycloak.accessToken(name))
  const living = REPLICAS.map(company.replica).find(({ child }) => child.exitCode === null)
  const made = await living?.cli('token', 'create', '--user', name, '--expires', '2h')
  if (made?.code !== 0) throw new Error(`no token for ${name}: ${made?.stderr}`)
  return tokenCredential(made.stdout.trim())
}

async function signIn({ keycloak, haproxy }: Company, name: string) {
  const browser = createBrowser({ ca: haproxy.certificate, trustsLoopback: true })
  const landed = await keycloak.signIn(browser, name)
  if (landed.status !== 303 && landed.status !== 302)
    throw new Error(`${name} could not sign in: ${landed.status} ${landed.url} ${landed.body.slice(0, 2000)}`)
  return browser
}

function createAdmin({ keycloak, replica }: Company): World['admin'] {
  const credential = providerCredential(() => keycloak.accessToken('admin'))
  return async (id, method, path, body) => {
    const response = await fetch(`${replica(id).url}/auth/api/v1${path}`, {
      method,
      headers: {
        ...(await credential.headers()),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }
}

/** Puts two experiments, with a run and a file each, where MLflow itself is asked. */
async function furnish({ mlflow }: Company): Promise<Place> {
  const seed = randomBytes(16 * 1024)
  const make = async (name: string) => {
    const { experiment_id: id } = await askMlflow(mlflow.url, 'experiments/create', { name })
    const runId = await createRun(mlflow.url, id)
    const path = `${mlflow.url}/api/2.0/mlflow-artifacts/artifacts/${id}/${runId}/artifacts/seed.bin`
    await fetch(path, { method: 'PUT', body: seed })
    return { id, name, runId }
  }
  return { seed, shared: await make('shared/one'), secret: await make('secret/one') }
}

async function createRun(url: string, experimentId: string): Promise<string> {
  const { run } = await askMlflow(url, 'runs/create', { experiment_id: experimentId, start_time: 1 })
  return run.info.run_id
}

async function askMlflow(url: string, path: string, body: unknown) {
  const response = await fetch(`${url}/api/2.0/mlflow/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const answer = (await response.json()) as { experiment_id: string; run: { info: { run_id: string } } }
  if (!response.ok) throw new Error(`${path}: ${response.status} ${JSON.stringify(answer)}`)
  return answer
}

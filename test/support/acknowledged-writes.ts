import type { Member } from './test-members.ts'

/** What a gateway said is done. */
export type Acknowledged = {
  readonly tokens: string[]
  readonly revoked: string[]
  /** Name patterns, each of a grant of its own. */
  readonly grants: string[]
  /** Status and error code of what it refused, each once. */
  readonly refusals: Set<string>
}

export type Writers = {
  readonly acknowledged: Acknowledged
  /** Writes as `count` people at once, each for as long as `goes` says so and somebody answers. */
  readonly write: (count: number, goes: () => boolean) => Promise<void>
}

export type WriterOptions = {
  readonly url: string
  readonly admin: Pick<Member, 'cookie'>
  readonly acknowledged?: Acknowledged
}

export function nothingYet(): Acknowledged {
  return { tokens: [], revoked: [], grants: [], refusals: new Set() }
}

/** How many tokens one call of `write` leaves working: somebody may have a hundred, and all of these are one person's. */
const LEFT_WORKING = 12

/** People who make tokens, revoke some of them, make roles and give them grants, and remember what they were told. */
export function createWriters({ url, admin, acknowledged = nothingYet() }: WriterOptions): Writers {
  const headers = { cookie: admin.cookie, origin: url, 'content-type': 'application/json' }
  const send = async (method: string, path: string, body?: object, more: Record<string, string> = {}) => {
    const answer = await fetch(`${url}/auth/api/v1${path}`, {
      ...{ method, headers: { ...headers, ...more } },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const said = (await answer.json().catch(() => ({}))) as Readonly<Record<string, string>>
    if (!answer.ok) acknowledged.refusals.add(`${answer.status} ${said['error_code']}`)
    return { ok: answer.ok, said, etag: answer.headers.get('etag') ?? '' }
  }
  const writeToken = async (revokes: boolean) => {
    const made = await send('POST', '/tokens', { name: 'of a writer', expires_in: 3600 })
    const { id, token = '' } = made.said
    if (!made.ok) return
    if (!revokes) acknowledged.tokens.push(token)
    else if ((await send('DELETE', `/tokens/${id}`)).ok) acknowledged.revoked.push(token)
  }
  const writeGrant = async (name: string) => {
    const role = await send('POST', '/roles', { name })
    if (!role.ok) return
    const grant = { resource_type: 'experiment', match: 'name', pattern: `${name}/*`, level: 'READ' }
    const given = await send('POST', `/roles/${role.said['id']}/grants`, grant, { 'if-match': role.etag })
    if (given.ok) acknowledged.grants.push(grant.pattern)
  }
  const writeAs = async (person: number, goes: () => boolean, enough: () => boolean) => {
    for (let n = 0; goes(); n += 1) {
      await writeToken((person + n) % 3 === 2 || enough())
      await writeGrant(`role-${person}-${n}-${performance.now()}`)
    }
  }
  return {
    acknowledged,
    write: async (count, goes) => {
      // Nobody answers any more: the gateway has ended, perhaps in the middle of one.
      const gone = () => undefined
      const before = acknowledged.tokens.length
      const enough = () => acknowledged.tokens.length >= before + LEFT_WORKING
      const people = Array.from({ length: count }, (_, person) => writeAs(person, goes, enough).catch(gone))
      await Promise.all(people)
    },
  }
}

import { LOCKDOWN_REASON, pause } from './asking.ts'
import { REPLICAS, type ReplicaId, SESSION_TOKEN_TTL } from './company.ts'
import { type Propagation, watch } from './propagation.ts'
import { kindNamed, type Lockdown, type Outcome } from './requests.ts'
import { grantOf, NAMES, type Name, type World } from './world.ts'

/** One thing that happens in a company while everybody works. Where: which replica the administrator happens to use. */
export type Change = (world: World, propagation: Propagation, where: ReplicaId) => Promise<void>

const changeGrant: Change = async (world, propagation, where) => {
  const person = world.people.cora
  const [fact, label] = [person.level, 'grant removed']
  const make = () => removeGrant(world, where)
  await watch(world, propagation, { label, fact, value: 'none', make, person, expected: 'forbidden' })
  await watch(world, propagation, {
    ...{ label: 'grant given', fact, value: 'EDIT', person, expected: 'done' },
    make: () => giveGrant(world, where),
  })
}

const revokeToken: Change = async (world, propagation, where) => {
  const person = world.people.dora
  const { credential } = person
  await watch(world, propagation, {
    ...{ label: 'access token revoked', fact: credential.isValid, value: false, person, credential },
    make: () => endTokens(world, where, 'dora'),
    expected: 'unauthenticated',
  })
  world.ended.push(credential)
  await world.renew('dora')
}

/** Out of the group at the provider: the next look at the provider for the session ends it, or a sign-in if that comes first. */
const changeGroup: Change = async (world, propagation) => {
  const { keycloak } = world.company
  const person = world.people.bert
  const fact = person.level
  await watch(world, propagation, {
    ...{ label: `left a group, renewals ${SESSION_TOKEN_TTL} s apart`, fact, value: 'none', person },
    make: async () => {
      await keycloak.setMember('bert', 'readers', false)
      // Times are in whole seconds, so a renewal may come one later.
      await pause((SESSION_TOKEN_TTL + 1) * 1000)
    },
    expected: 'forbidden',
  })
  await watch(world, propagation, {
    ...{ label: 'joined a group, signed in again elsewhere', fact, value: 'READ', person, expected: 'done' },
    make: async () => {
      await keycloak.setMember('bert', 'readers', true)
      await world.signInElsewhere('bert')
    },
  })
}

/** Routine: nobody notices. */
const rotateKeys: Change = async (world, _propagation, where) => {
  const { code, stderr } = await world.company.replica(where).cli('keys', 'rotate')
  if (code !== 0) throw new Error(`keys rotate: ${stderr}`)
  // The new key signs after two seconds.
  await pause(3000)
}

/** As `keys rotate --now`: every session and every access token ends; what the provider signed goes on. */
const replaceKeys: Change = async (world, propagation, where) => {
  const names = NAMES.filter((name) => world.people[name].credential.kind !== 'provider’s token')
  const credentials = names.map((name) => world.people[name].credential)
  // One that stands for all: they end in one act.
  const ending = Promise.withResolvers<void>()
  const others = credentials.slice(1).map(({ isValid }) => isValid.change(false, () => ending.promise))
  await watch(world, propagation, {
    ...{
      label: 'signing key replaced: a session ends',
      person: world.people.anna,
      expected: 'unauthenticated',
    },
    ...{ fact: world.people.anna.credential.isValid, value: false },
    make: async () => {
      await world.admin(where, 'POST', '/keys/replace')
      ending.resolve()
    },
  })
  await Promise.all(others)
  world.ended.push(...credentials)
  for (const name of names) await world.renew(name)
}

function lock(mode: Exclude<Lockdown, 'off'>, expected: Outcome): Change {
  return async (world, propagation, where) => {
    const { lockdown: fact, admin } = world
    const person = world.people.emil
    const watched = { fact, person, ...(mode === 'read_only' && { kind: kindNamed('runs.log_metric') }) }
    await watch(world, propagation, {
      ...{ ...watched, label: `lockdown, ${mode}`, value: mode, expected },
      make: () => admin(where, 'PUT', '/lockdown', { mode, reason: LOCKDOWN_REASON }),
    })
    // Whoever has to end it gets in.
    for (const id of REPLICAS) await admin(id, 'GET', '/me')
    await watch(world, propagation, {
      ...{ ...watched, label: 'lockdown off', value: 'off', expected: 'done' },
      make: () => admin(where, 'DELETE', '/lockdown'),
    })
  }
}

/** In the order in which they happen. */
export const CHANGES: Readonly<{ [name: string]: Change }> = {
  changeGrant,
  revokeToken,
  close: lock('closed', 'locked down'),
  forbidWrites: lock('read_only', 'locked down'),
  changeGroup,
  rotateKeys,
  replaceKeys,
}

/** Takes from cora what she holds by herself. */
export async function removeGrant({ admin, idOf }: World, where: ReplicaId): Promise<void> {
  const person = (await admin(where, 'GET', `/people/${idOf('cora')}`)) as {
    readonly roles: readonly {
      readonly personal: boolean
      readonly grants: readonly { readonly id: string }[]
    }[]
  }
  const own = person.roles.filter(({ personal }) => personal)
  for (const { id } of own.flatMap(({ grants }) => grants)) await admin(where, 'DELETE', `/grants/${id}`)
}

export async function giveGrant({ admin, place }: World, where: ReplicaId): Promise<void> {
  await admin(where, 'POST', '/grants', grantOf('cora', place))
}

export async function endTokens({ admin, idOf }: World, where: ReplicaId, name: Name): Promise<void> {
  await admin(where, 'DELETE', `/people/${idOf(name)}/tokens`)
}

import { pause } from './asking.ts'
import { endTokens, giveGrant, removeGrant } from './changes.ts'
import { REPLICAS, type ReplicaId } from './company.ts'
import { kindNamed } from './requests.ts'
import type { World } from './world.ts'

/** Which of the others the administrator uses while one is down. */
const OTHER: Readonly<{ [id in ReplicaId]: ReplicaId }> = { '1': '2', '2': '3', '3': '1' }

/**
 * Kills a replica with -9. While it is down a grant is removed and a token revoked, neither of which it can hear of: its
 * successor has to go by them from its first answer on.
 */
export async function crash(world: World, id: ReplicaId): Promise<void> {
  const { company, ledger, people, asker } = world
  ledger.noteKill()
  await company.replica(id).halt()
  await company.haproxy.says(new RegExp(`ready/gateway-${id} is DOWN`))
  const { credential } = people.dora
  await people.cora.level.change('none', () => removeGrant(world, OTHER[id]))
  await credential.isValid.change(false, () => endTokens(world, OTHER[id], 'dora'))
  world.ended.push(credential)
  await pause(1000)
  await company.start(id)
  const line = world.direct(id)
  const kind = kindNamed('experiments.get')
  await asker.ask(line, people.cora, kind)
  await asker.ask(line, people.dora, kind, credential)
  await line.pool.close()
  await company.haproxy.says(new RegExp(`ready/gateway-${id} is UP`))
  await people.cora.level.change('EDIT', () => giveGrant(world, id))
  await world.renew('dora')
}

/** Every replica in turn, by SIGTERM: nobody notices. */
export async function restartAll({ company }: World): Promise<void> {
  for (const id of REPLICAS) {
    const down = company.haproxy.says(new RegExp(`ready/gateway-${id} is DOWN`))
    const stopped = company.replica(id).stop()
    await down
    await stopped
    await company.start(id)
    await company.haproxy.says(new RegExp(`ready/gateway-${id} is UP`))
  }
}

/**
 * A process of its own that opens the store when told to on stdin, signs somebody in, says what it found and ends.
 * Arguments: database URL, username, umask in octal.
 */
import { once } from 'node:events'
import { openStore } from '../../src/store/store.ts'
import { OIDC } from './provider.ts'

const [databaseUrl = '', username = '', umask = '22'] = process.argv.slice(2)
process.umask(Number.parseInt(umask, 8))
process.stdout.write('waiting\n')
await once(process.stdin, 'data')
const store = await openStore({ databaseUrl, now: () => 1_800_000_000 })
await store.people.signIn({
  provider: OIDC.id,
  issuer: OIDC.issuer,
  subject: username,
  username,
  groups: ['all'],
})
process.stdout.write('signed in\n')
await once(process.stdin, 'data')
await store.close()
process.exit(0)

import { accessSync, constants, existsSync, type Stats, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { GoogleSchema, ProviderSchema } from '../config/provider-schema.ts'
import { oidcPrefixes } from '../config/providers.ts'
import { GatewaySchema } from '../config/schema.ts'
import { upstreamPrefixes } from '../config/upstreams.ts'
import { variablesOf } from '../config/variables.ts'
import { parseDatabaseUrl } from '../store/database-url.ts'
import { type Check, type Finding, fault, ok, skipped } from './check.ts'
import type { Setup } from './setup.ts'

/** A file whose readers matter, by what names it. */
type Kept = { readonly name: string; readonly path: string; readonly holds: 'secret' | 'records' | 'rules' }

/** Who may read and write the files of the gateway. */
export function fileChecks(setup: Setup): readonly Check[] {
  if (setup.uid === undefined) return []
  return keptFiles(setup).map((file) => ({
    name: `file: ${file.name}`,
    run: async () => judgeFile(file, setup),
  }))
}

function keptFiles({ config, env }: Setup): readonly Kept[] {
  const prefixes = oidcPrefixes({ OIDC_PROVIDERS: listOf(env['OIDC_PROVIDERS']) })
  const upstreams = ['UPSTREAM_', ...upstreamPrefixes({ UPSTREAMS: listOf(env['UPSTREAMS']) })]
  const variables = [
    ...variablesOf(GatewaySchema),
    ...prefixes.flatMap((prefix) => variablesOf(ProviderSchema, prefix)),
    ...variablesOf(GoogleSchema, 'GOOGLE_'),
  ]
  const secrets = variables.flatMap(({ name, variable }) =>
    variable.secret === true ? [`${name}_FILE`] : [],
  )
  const named = (names: readonly string[], holds: Kept['holds']): Kept[] =>
    names.flatMap((name) => (env[name] ? [{ name, path: env[name], holds }] : []))
  const address = parseDatabaseUrl(config.databaseUrl)
  const database =
    address.kind === 'sqlite'
      ? ['', '-wal', '-shm'].map(
          (end): Kept => ({ name: `database${end}`, path: `${address.path}${end}`, holds: 'records' }),
        )
      : []
  return [
    ...named([...secrets, 'TLS_KEY_FILE', ...upstreams.map((prefix) => `${prefix}KEY_FILE`)], 'secret'),
    ...database.filter(({ name, path }) => name === 'database' || existsSync(path)),
    ...named(['AUDIT_FILE'], 'records'),
    ...named(['POLICY_FILE'], 'rules'),
  ]
}

function listOf(value: string | undefined): string[] {
  return (value ?? '')
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
}

const OTHERS = { read: 0o004, write: 0o002 }
const GROUP_WRITE = 0o020
const STICKY = 0o1000

function judgeFile({ name, path, holds }: Kept, setup: Setup): Finding {
  const full = resolve(path)
  const folder = statOf(dirname(full))
  if (folder === undefined) return missingFolder(name, full)
  if (folder.mode & OTHERS.write && !(folder.mode & STICKY)) {
    return fault({
      what: `everybody on this machine may write into ${dirname(full)}`,
      why: `They can put another file in the place of ${full}.`,
      advice: `chmod o-w ${dirname(full)}`,
    })
  }
  const file = statOf(full)
  if (file === undefined) return skipped(`${full} is not there yet`)
  return (
    judgeMode({ name, path: full, holds }, file) ??
    judgeAccess(full, holds, setup) ??
    ok(`${full} is readable for whom it should be (${modeOf(file)})`)
  )
}

function judgeMode({ path, holds }: Kept, file: Stats): Finding | undefined {
  if (file.mode & OTHERS.write || (file.mode & GROUP_WRITE && holds !== 'records')) {
    return fault({
      what: `${path} can be written by ${file.mode & OTHERS.write ? 'everybody on this machine' : 'its group'} (${modeOf(file)})`,
      why:
        holds === 'rules'
          ? 'Whoever may write it decides who may do what.'
          : 'Whoever may write it can take the gateway over.',
      advice: `chmod ${holds === 'rules' ? 'go-w' : '0600'} ${path}`,
    })
  }
  if (holds === 'rules' || !(file.mode & OTHERS.read)) return undefined
  return fault({
    what: `${path} can be read by everybody on this machine (${modeOf(file)})`,
    why:
      holds === 'secret'
        ? 'Who reads it can sign in as anybody.'
        : 'It says who did what, and holds what sessions and keys are kept as.',
    advice: `chmod o-rwx ${path}; if it is a mounted secret, set its mode to 0400 there.`,
  })
}

/** As root everything can be read; the gateway, hopefully, is somebody else. */
function judgeAccess(path: string, holds: Kept['holds'], { uid }: Setup): Finding | undefined {
  if (uid === 0) return undefined
  try {
    accessSync(path, holds === 'records' ? constants.R_OK | constants.W_OK : constants.R_OK)
    return undefined
  } catch {
    return fault({
      what: `${path} cannot be ${holds === 'records' ? 'written' : 'read'} by this user`,
      why: 'The gateway needs it; run as another user, this command says nothing of that.',
      advice: `Run doctor as the user of the gateway, or make that one the owner of ${path}.`,
    })
  }
}

function missingFolder(name: string, path: string): Finding {
  return fault({
    what: `the folder of ${path} does not exist (${name})`,
    why: 'The gateway makes files and no folders.',
    advice: `Create ${dirname(path)}, for the user of the gateway, mode 0700.`,
  })
}

function statOf(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false })
}

function modeOf({ mode }: Stats): string {
  return `0${(mode & 0o777).toString(8).padStart(3, '0')}`
}

const UNTRUSTED =
  "the server's certificate is not trusted. Put the certificate of its authority into a file and set DATABASE_CA_FILE to that"

/** What keeps a gateway from starting, by the code of the fault (SQLSTATE, Node's or OpenSSL's), with what to do. */
const REMEDIES: Readonly<Record<string, string>> = {
  ECONNREFUSED:
    'nothing answers there. Check host and port, and that PostgreSQL runs and listens for other machines',
  ENOTFOUND: 'there is no such host. Check its name',
  EAI_AGAIN: 'its name could not be looked up. Check the name and the name server',
  ENOENT: 'there is no such socket. Check the parameter host and that PostgreSQL runs',
  ETIMEDOUT: 'nothing answers there. Check host and port, and the firewall',
  EHOSTUNREACH: 'there is no way to that host. Check the network',
  '28P01': 'user and password do not fit. Check both; special characters are percent-encoded',
  28000: 'PostgreSQL does not let this user in from here. Check pg_hba.conf, and sslmode',
  '3D000': 'there is no such database. Create it: createdb --encoding=UTF8 NAME',
  42501: 'the user may not create tables there. Make the user the owner of the database',
  53300: 'PostgreSQL has no connection left. Lower DATABASE_POOL_SIZE or raise max_connections',
  '57P03': 'PostgreSQL is starting or stopping. Try again shortly',
  25006: 'it takes no changes, being a standby. Name the primary',
  ERR_TLS_CERT_ALTNAME_INVALID:
    "the server's certificate is for another name. Use the name it is for, or get another certificate",
  CERT_HAS_EXPIRED: "the server's certificate has expired. Renew it",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
}

/** The database cannot be used as it is; the message says why and what to do, and holds no address or password. */
export class DatabaseStartError extends Error {
  override readonly name = 'DatabaseStartError'
}

/** The fault as somebody who has to mend it needs it, as far as PostgreSQL or the way to it is at fault. */
export function explained(fault: unknown): unknown {
  if (fault instanceof DatabaseStartError) return fault
  const code = codeOf(fault)
  const known = code === undefined ? plainReason(fault) : REMEDIES[code]
  if (known === undefined && code === undefined) return fault
  const reason = known ?? `it failed with ${code}. The log of PostgreSQL may say more`
  return new DatabaseStartError(`The database of DATABASE_URL cannot be used: ${reason}.`, { cause: fault })
}

/** The code of the fault or of what is behind it: several addresses of a name fail as one AggregateError. */
export function codeOf(fault: unknown): string | undefined {
  if (!(fault instanceof Error)) return undefined
  if ('code' in fault && typeof fault.code === 'string' && !fault.code.startsWith('ERR_STORE'))
    return fault.code
  const [first] = fault instanceof AggregateError ? fault.errors : [fault.cause]
  return first === undefined ? undefined : codeOf(first)
}

/** What `pg` itself says without a code. */
function plainReason(fault: unknown): string | undefined {
  const message = fault instanceof Error ? fault.message : ''
  if (message.includes('does not support SSL')) {
    return 'PostgreSQL offers no TLS. Turn ssl on there; on this machine sslmode=disable will do'
  }
  if (message.includes('timeout')) return REMEDIES['ETIMEDOUT']
  if (message.includes('password must be a string'))
    return 'PostgreSQL asks for a password and the URL holds none'
  return undefined
}

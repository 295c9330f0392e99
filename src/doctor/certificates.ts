import type { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { connect } from 'node:tls'
import { readAuthorities } from '../network/certificate.ts'
import { type Check, type Finding, fault, ok, skipped, warning } from './check.ts'
import { faultOf, reachFault } from './reach.ts'
import { type Place, placesOf, type Setup } from './setup.ts'

const DAY_MS = 86_400_000

/** Days before its end that a certificate should have been renewed. */
const RENEWED_BEFORE = 14

/** A server whose certificate matters, and by whose word it counts. */
type Server = {
  readonly name: string
  readonly whose: string
  readonly url: URL
  readonly authorities?: string | undefined
  readonly own?: { readonly cert: string; readonly key: string } | undefined
  readonly advice: string
  /** An authority that is not known here may be known to their browsers. */
  readonly isForPeople?: boolean
}

/** The certificate of everything that speaks TLS: the gateway, what people reach first, providers, the tracking server. */
export function certificateChecks(setup: Setup): readonly Check[] {
  const { config, nowMs } = setup
  const { tls } = config
  const own: readonly Check[] =
    tls === undefined
      ? []
      : [
          {
            name: 'certificate: TLS_CERT_FILE',
            run: async () => judgeOwn(placesOf(setup), tls.material.cert, nowMs()),
          },
        ]
  const remote = serversOf(setup)
    .filter(({ url }) => url.protocol === 'https:')
    .map((server) => ({
      name: `certificate: ${server.name}`,
      run: (signal: AbortSignal) => judgeServer(server, nowMs, signal),
    }))
  return [...own, ...remote]
}

function serversOf(setup: Setup): readonly Server[] {
  const { config } = setup
  const places = placesOf(setup)
  // One host has one certificate.
  const publicUrls = [
    ...new Map(
      places.map(({ setup: there }) => [there.config.publicUrl.host, there.config.publicUrl]),
    ).values(),
  ]
  return [
    ...publicUrls.map((url, index) => ({
      name: index === 0 ? 'PUBLIC_URL' : url.host,
      ...{ whose: `the certificate at ${url.host}`, url, isForPeople: true },
      advice:
        'Have the machine that runs doctor trust the authority (NODE_EXTRA_CA_CERTS), or see that every browser does.',
    })),
    ...config.providers.map(({ id, kind, label, issuer, authorities }) => ({
      ...{ name: `provider ${id}`, whose: `the certificate of ${label}`, url: new URL(issuer), authorities },
      advice:
        kind === 'google'
          ? 'Something on the way breaks TLS open.'
          : 'Name the authority in the variable that ends in CA_FILE of this provider.',
    })),
    ...places.map(({ id, setup: { config: there } }) => ({
      name: id === undefined ? 'MLflow' : `MLflow ${id}`,
      ...{ whose: 'the certificate of the tracking server', url: there.upstreamUrl },
      ...{ authorities: there.upstreamTls.authorities, own: there.upstreamTls.certificate },
      advice: `Name the authority in ${id === undefined ? 'UPSTREAM' : `UPSTREAM_${id.toUpperCase()}`}_CA_FILE.`,
    })),
  ]
}

function judgeOwn(places: readonly Place[], pem: string, nowMs: number): Finding {
  const [certificate] = readAuthorities(pem) ?? []
  if (certificate === undefined) return skipped('TLS_CERT_FILE holds no certificate')
  const hosts = places.map(({ setup }) => setup.config.publicUrl.hostname.replace(/^\[|\]$/g, ''))
  const host = hosts.find((each) => !(isIP(each) ? certificate.checkIP(each) : certificate.checkHost(each)))
  if (host !== undefined) {
    return fault({
      what: `the certificate in TLS_CERT_FILE is not for ${host}, the host of PUBLIC_URL`,
      why: 'Browsers and clients refuse it.',
      advice: `Get one whose subjectAltName holds ${host}, or correct PUBLIC_URL.`,
    })
  }
  return judgeDates('the certificate in TLS_CERT_FILE', certificate, nowMs)
}

async function judgeServer(
  { whose, url, authorities, own, advice, isForPeople }: Server,
  nowMs: () => number,
  signal: AbortSignal,
): Promise<Finding> {
  const seen = await readPeer({ url, authorities, own, signal })
  if ('code' in seen) return skipped(`not known: ${faultOf(seen.code).reason}`)
  if (
    seen.refusal === undefined ||
    seen.refusal === 'CERT_HAS_EXPIRED' ||
    seen.refusal === 'CERT_NOT_YET_VALID'
  ) {
    return judgeDates(whose, seen.certificate, nowMs())
  }
  const { isUntrusted, reason } = faultOf(seen.refusal)
  const what = `${whose} is refused: ${reason.replace(/^its certificate/, 'it')}`
  const why = 'Whoever checks it ends the connection.'
  if (!isUntrusted)
    return fault({
      what,
      why,
      advice: 'Get a certificate for the name that is used, or use the name it is for.',
    })
  return isForPeople ? warning({ what, why, advice }) : fault({ what, why, advice })
}

function judgeDates(
  whose: string,
  { validFromDate: from, validToDate: to }: X509Certificate,
  nowMs: number,
): Finding {
  const days = Math.floor((to.getTime() - nowMs) / DAY_MS)
  if (from.getTime() > nowMs) {
    return fault({
      what: `${whose} is valid from ${from.toISOString().slice(0, 16)}Z on only`,
      why: 'Until then everybody refuses it; or the clock of this machine is wrong.',
      advice: 'Check the clock, then the certificate.',
    })
  }
  if (to.getTime() <= nowMs) {
    return fault({
      what: `${whose} expired on ${to.toISOString().slice(0, 10)}`,
      why: 'Everybody who checks it ends the connection.',
      advice: 'Renew it. A gateway takes a renewed file within ten seconds, without a restart.',
    })
  }
  if (days < RENEWED_BEFORE) {
    return warning({
      what: `${whose} expires in ${days === 1 ? '1 day' : `${days} days`}`,
      why: 'What renews it by itself has usually done so by then.',
      advice: 'Look whether the renewal works.',
    })
  }
  return ok(`${whose} is valid for ${days} days more`)
}

type Peer = { readonly certificate: X509Certificate; readonly refusal: string | undefined }

type Wanted = Pick<Server, 'url' | 'authorities' | 'own'> & { readonly signal: AbortSignal }

/** Shakes hands and sends nothing: whether the certificate would be accepted is told, and not acted upon. */
function readPeer({ url, authorities, own, signal }: Wanted): Promise<Peer | { readonly code: string }> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const socket = connect({
    ...{ host, port: Number(url.port || 443), rejectUnauthorized: false },
    ...(isIP(host) ? {} : { servername: host }),
    ...(authorities === undefined ? {} : { ca: authorities }),
    ...(own === undefined ? {} : { cert: own.cert, key: own.key }),
  })
  const { promise, resolve } = Promise.withResolvers<Peer | { readonly code: string }>()
  const stop = () => resolve({ code: 'TimeoutError' })
  signal.addEventListener('abort', stop, { once: true })
  socket.once('error', (error) => resolve({ code: reachFault(error).code }))
  socket.once('secureConnect', () => {
    const certificate = socket.getPeerX509Certificate()
    const error: unknown = socket.authorizationError
    const refusal = error instanceof Error && 'code' in error ? String(error.code) : error
    resolve(
      certificate === undefined
        ? { code: 'EPROTO' }
        : { certificate, refusal: refusal ? String(refusal) : undefined },
    )
  })
  return promise.finally(() => {
    signal.removeEventListener('abort', stop)
    socket.destroy()
  })
}

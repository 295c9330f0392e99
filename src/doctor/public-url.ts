import { isLoopback } from '../config/checks.ts'
import type { Config } from '../config.ts'
import { type Check, type Finding, fault, ok, skipped, warning } from './check.ts'
import { judgeClock } from './clock.ts'
import { createMark, MARK_HEADER, MARK_PATH, type MarkAnswer } from './mark.ts'
import { type Reached, reach } from './reach.ts'
import type { Setup } from './setup.ts'

/** RFC 5737 §3: nobody has this address, so a gateway that counts a request as its own believes what clients claim. */
const NOBODY = '192.0.2.66'

/** Milliseconds. */
const PROBE_MS = 4000

type Probe = {
  readonly reached: Reached
  /** Only if it is an answer by a gateway with the same secret. */
  readonly answer: MarkAnswer | undefined
}

/** What a request meets on its way from PUBLIC_URL to the gateway. */
export function publicUrlChecks(setup: Setup): readonly Check[] {
  const { config } = setup
  let asked: Promise<Probe> | undefined
  const probe = () => {
    asked ??= askGateway(setup)
    return asked
  }
  const answered = (judge: (answer: MarkAnswer) => Finding) => async () => {
    const { answer } = await probe()
    return answer === undefined ? skipped('not known: PUBLIC_URL did not lead to the gateway') : judge(answer)
  }
  return [
    { name: 'public URL: leads to this gateway', run: async () => judgeProbe(config, await probe()) },
    { name: 'public URL: cookies', run: async () => judgeCookies(config) },
    { name: 'public URL: addresses of clients', run: answered((answer) => judgeAddresses(config, answer)) },
    {
      name: 'public URL: clock',
      run: async () => {
        const { answer, reached } = await probe()
        if (answer === undefined || 'fault' in reached)
          return skipped('not known: PUBLIC_URL did not lead to the gateway')
        return judgeClock('the clock of the gateway', answer.at * 1000 + 500 - reached.atMs)
      },
    },
  ]
}

async function askGateway({ config, fetch, nowMs }: Setup): Promise<Probe> {
  const mark = createMark(config.gatewaySecret)
  const { value, nonce } = mark.ask(Math.floor(nowMs() / 1000))
  const url = `${config.publicUrl.href.replace(/\/$/, '')}${MARK_PATH}`
  const claimed = config.network.addressHeader === 'Forwarded' ? `for=${NOBODY}` : NOBODY
  const headers = { [MARK_HEADER]: value, [config.network.addressHeader]: claimed }
  const reached = await reach(fetch, url, { headers, signal: AbortSignal.timeout(PROBE_MS) }, nowMs)
  if ('fault' in reached) return { reached, answer: undefined }
  const signature = reached.response.headers.get(MARK_HEADER) ?? ''
  const isOurs = mark.verify(nonce, reached.text, signature)
  return { reached, answer: isOurs ? (JSON.parse(reached.text) as MarkAnswer) : undefined }
}

function judgeProbe({ tls }: Config, { reached, answer }: Probe): Finding {
  if (answer !== undefined) return ok('PUBLIC_URL leads to a gateway with this GATEWAY_SECRET')
  if ('fault' in reached) {
    const { code, reason, isUntrusted } = reached.fault
    const what = `PUBLIC_URL does not answer from here: ${reason}`
    if (isUntrusted) {
      const advice =
        'Have NODE_EXTRA_CA_CERTS name a file with the authority and run doctor again, or look with a browser.'
      return warning({
        what,
        why: 'People whose browsers do not know the authority either are warned off.',
        advice,
      })
    }
    if (tls?.clientCertificates === 'require' && !UNREACHABLE.has(code)) {
      return skipped('not known: with TLS_CLIENT_CERTS=require only who has a certificate gets an answer')
    }
    const why =
      'The gateway is not running, or the proxy or the name in front of it is not set up; or this machine cannot reach its own public address, as in some networks.'
    const advice =
      'Start the gateway, then open PUBLIC_URL with a browser where people are. If it works there, this finding is about the network of this machine.'
    return UNREACHABLE.has(code) && code !== 'ECONNREFUSED'
      ? warning({ what, why, advice })
      : fault({ what, why, advice })
  }
  return judgeStranger(reached.response, reached.text)
}

const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'TimeoutError',
  'AbortError',
])

/** Somebody answered, and not as a gateway with the same secret does. */
function judgeStranger({ status, headers }: Response, text: string): Finding {
  if (status === 421) {
    return fault({
      what: 'PUBLIC_URL leads to a gateway that is not called so: it answered 421',
      why: 'The proxy in front does not pass the Host on that the client sent, or PUBLIC_URL is not the same there.',
      advice:
        'Have the proxy keep it (nginx: proxy_set_header Host $host), and compare PUBLIC_URL and ALLOWED_HOSTS.',
    })
  }
  if (status === 403 && text.includes('network you are in')) {
    return skipped(
      'not known: ALLOWED_NETWORKS does not hold this machine, so the gateway does not answer it',
    )
  }
  if (status === 404 && text.includes('ENDPOINT_NOT_FOUND')) {
    return fault({
      what: 'PUBLIC_URL leads to a gateway that does not know this GATEWAY_SECRET',
      why: 'It is another one, or an older version, or this command was run with other settings than the gateway has.',
      advice:
        'Run doctor with the environment of the gateway, and give every replica the same GATEWAY_SECRET.',
    })
  }
  if (status >= 300 && status < 400) {
    return fault({
      what: `PUBLIC_URL answers with a redirect to ${hostOf(headers.get('location'))}`,
      why: 'Sign-ins come back to PUBLIC_URL, and clients of MLflow do not follow a redirect with their tokens.',
      advice: 'Set PUBLIC_URL to the address people end at: scheme, host, port and path.',
    })
  }
  if (status === 502 || status === 503 || status === 504) {
    return fault({
      what: `what stands in front of the gateway answered ${status}`,
      why: 'It reaches no gateway that is ready.',
      advice: 'Look at /readyz of each gateway, and at the addresses the proxy passes requests on to.',
    })
  }
  return fault({
    what: `something else than the gateway answers at PUBLIC_URL (status ${status})`,
    why: 'People would send their sign-ins and tokens there. If it is MLflow itself, it is open to everybody.',
    advice: 'Point the name and the proxy at the gateway, and at nothing else.',
  })
}

function hostOf(location: string | null): string {
  return URL.parse(location ?? '')?.origin ?? 'another path'
}

function judgeCookies({ publicUrl: { protocol, hostname } }: Config): Finding {
  if (protocol === 'https:') return ok('cookies are sent by https only (Secure)')
  if (isLoopback(hostname))
    return ok('PUBLIC_URL is plain http on this machine: cookies are not Secure, and nobody else can sign in')
  return warning({
    what: 'PUBLIC_URL is plain http, so cookies are not Secure',
    why: 'Whoever is on the way can read sessions and tokens, and be their owner.',
    advice: 'Put https in front and set PUBLIC_URL to it, or set TLS_CERT_FILE and TLS_KEY_FILE.',
  })
}

/** Judges by what the gateway saw of a request that claimed to be {@link NOBODY}'s. */
export function judgeAddresses(
  { network }: Config,
  { peer, isTrusted, isForwarded, client, isCertain }: MarkAnswer,
): Finding {
  const header = network.addressHeader
  // What doctor claims of itself arrives in the header of any proxy that lets it through; one that drops it writes its own.
  if (!isTrusted) {
    if (network.trustedProxies.length === 0 && isLoopback(peer.includes(':') ? `[${peer}]` : peer)) {
      return ok(
        `requests come from ${peer}, which is in no TRUSTED_PROXIES: right if no proxy runs on this machine`,
      )
    }
    return warning({
      what: `requests come from ${peer}, which is not in TRUSTED_PROXIES${isForwarded ? `, with ${header}` : ''}`,
      why: 'If that is the proxy in front, everybody shares its address: one rate limit for all, and audit lines that say nothing.',
      advice: `If it is, set TRUSTED_PROXIES=${peer} (or the network of the proxies, and of nobody else). If it is the address of this machine, requests come straight from the client and all is well.`,
    })
  }
  if (!isForwarded || !isCertain || client === peer) {
    return warning({
      what: `the proxy ${peer} ${isForwarded ? `sends a header ${header} that cannot be read` : `does not say in ${header} for whom it asks`}`,
      why: 'Everybody then shares its address: one rate limit for all, and audit lines that say nothing.',
      advice: `Have it append the address of the client to ${header}, or set CLIENT_ADDRESS_HEADER to the header it does append to.`,
    })
  }
  if (client === NOBODY) {
    return warning({
      what: `a client at this machine can claim any address: ${header} said ${NOBODY}, and it was believed`,
      why: `The proxy does not append to ${header}, or TRUSTED_PROXIES holds this machine's own address besides the proxy's.`,
      advice: `Have the proxy append the client's address (nginx: $proxy_add_x_forwarded_for), and list proxies only in TRUSTED_PROXIES. If this machine is one of them, all is well.`,
    })
  }
  return ok(`the proxy ${peer} is trusted, and says that this machine is ${client}`)
}

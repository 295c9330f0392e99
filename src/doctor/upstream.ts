import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { isLoopback } from '../config/checks.ts'
import type { Config } from '../config.ts'
import { isGatewayError } from '../errors.ts'
import { createUpstream, type Upstream, type UpstreamResponse } from '../mlflow/upstream.ts'
import { KNOWN_VERSIONS, knownNear } from '../mlflow/version.ts'
import { createNetworks } from '../network/address.ts'
import { type Check, type Finding, fault, ok, skipped, warning } from './check.ts'
import { type ReachFault, reach, reachFault } from './reach.ts'
import type { Setup } from './setup.ts'

/** Seconds. */
const PATIENCE = 4

type Answer = UpstreamResponse | { readonly fault: ReachFault }

/** The tracking server: is it there, does it answer the gateway, and does it answer anybody else. */
export function upstreamChecks(setup: Setup): readonly Check[] {
  const { config } = setup
  return [
    { name: 'MLflow: answers', run: () => asking(config, judgeHealth) },
    { name: 'MLflow: version', run: () => asking(config, judgeVersion) },
    { name: 'MLflow: host check', run: () => asking(config, (upstream) => judgeHostCheck(config, upstream)) },
    { name: 'MLflow: way to it', run: async () => judgeWay(config) },
    {
      name: 'MLflow: not on other addresses of this machine',
      run: (signal) => judgeOwnAddresses(setup, signal),
    },
    { name: 'MLflow: not beside the gateway', run: (signal) => judgePublicHost(setup, signal) },
  ]
}

async function asking(config: Config, judge: (upstream: Upstream) => Promise<Finding>): Promise<Finding> {
  const { upstreamUrl: url, upstreamHost: host, upstreamTls: tls } = config
  const upstream = createUpstream({ url, host, tls, idleTimeout: PATIENCE, bufferLimit: 1024 * 1024 })
  try {
    return await judge(upstream)
  } finally {
    await upstream.close()
  }
}

async function get(upstream: Upstream, target: string): Promise<Answer> {
  try {
    return await upstream.send({ method: 'GET', target, headers: ['accept', '*/*'], body: undefined })
  } catch (error) {
    return { fault: reachFault(isGatewayError(error) ? error.cause : error) }
  }
}

async function judgeHealth(upstream: Upstream): Promise<Finding> {
  const answer = await get(upstream, '/health')
  if ('fault' in answer) {
    return fault({
      what: `the tracking server cannot be reached: ${answer.fault.reason}`,
      why: 'Every request that is allowed would be answered 502.',
      advice: answer.fault.isUntrusted
        ? 'If its authority is your own, set UPSTREAM_CA_FILE to a file with its certificate.'
        : 'Start it, and check UPSTREAM_URL (scheme, host, port, path) and the network between the two.',
    })
  }
  if (answer.status === 200) return ok('the tracking server answers')
  return fault({
    what: `the tracking server answered ${answer.status} to /health`,
    why: 'What answers at UPSTREAM_URL is no MLflow, or one under another path, or not well.',
    advice: 'Check UPSTREAM_URL; with --static-prefix its path is part of it. Look at the log of the server.',
  })
}

async function judgeVersion(upstream: Upstream): Promise<Finding> {
  const answer = await get(upstream, '/version')
  if ('fault' in answer) return skipped('not known: the tracking server does not answer')
  const text = answer.bytes.toString('latin1', 0, 100).trim()
  const near = answer.status === 200 ? knownNear(text) : undefined
  if (near === undefined) {
    return warning({
      what: `the tracking server does not say its version (status ${answer.status})`,
      why: 'It is judged as every version at once: what any of them did not have is not served.',
      advice: `The gateway is made for MLflow ${KNOWN_VERSIONS[0]} to ${KNOWN_VERSIONS.at(-1)}: check what answers at UPSTREAM_URL.`,
    })
  }
  if (near.isKnown) return ok(`MLflow ${text}, which the catalogue knows`)
  if (near.neighbours.length === 2)
    return ok(`MLflow ${text}, between the known ${near.neighbours.join(' and ')}`)
  const isNewer = near.neighbours[0] === KNOWN_VERSIONS.at(-1)
  return warning({
    what: `MLflow ${text} is ${isNewer ? 'newer' : 'older'} than the versions the catalogue knows`,
    why: isNewer
      ? 'Routes that are new in it are refused to everybody.'
      : 'Nobody has compared its routes with the catalogue.',
    advice: isNewer
      ? 'Run `catalogue check --python` with its Python to see which; upgrade the gateway.'
      : `Upgrade MLflow to ${KNOWN_VERSIONS[0]} or later.`,
  })
}

/** `/health` and `/version` are left out of MLflow's own checks; this is not. It changes nothing there. */
const CHECKED = '/api/2.0/mlflow/experiments/search?max_results=1'

async function judgeHostCheck({ upstreamHost, upstreamUrl }: Config, upstream: Upstream): Promise<Finding> {
  const answer = await get(upstream, CHECKED)
  if ('fault' in answer) return skipped('not known: the tracking server does not answer')
  const text = answer.bytes.toString('utf8', 0, 10_000)
  if (answer.status === 200) return ok(`the tracking server takes requests for the host ${upstreamHost}`)
  if (answer.status === 403 && /host/i.test(text)) {
    return fault({
      what: `the tracking server refuses requests for the host ${upstreamHost}`,
      why: 'MLflow from 3.5 on answers only to names it was told of, and to localhost.',
      advice: `Leave UPSTREAM_HOST out${upstreamUrl.protocol === 'https:' ? ', ' : ' (it is then localhost), '}or start MLflow with --allowed-hosts ${upstreamHost}.`,
    })
  }
  if (answer.status === 401 || answer.status === 403) {
    return fault({
      what: `the tracking server wants credentials of its own (status ${answer.status})`,
      why: 'The gateway decides who may do what, and asks a server that lets everybody in; it has nothing to sign in there with.',
      advice: 'Start MLflow without --app-name basic-auth, where only the gateway can reach it.',
    })
  }
  return fault({
    what: `the tracking server answered ${answer.status} to a search for experiments`,
    why: 'What answers at UPSTREAM_URL is no MLflow, or its database does not work.',
    advice: 'Look at the log of the tracking server, and check the path of UPSTREAM_URL.',
  })
}

const PRIVATE = createNetworks([
  { address: '10.0.0.0', prefix: 8 },
  { address: '172.16.0.0', prefix: 12 },
  { address: '192.168.0.0', prefix: 16 },
  { address: '100.64.0.0', prefix: 10 },
  { address: '169.254.0.0', prefix: 16 },
  { address: '127.0.0.0', prefix: 8 },
  { address: '::1', prefix: 128 },
  { address: 'fc00::', prefix: 7 },
  { address: 'fe80::', prefix: 10 },
])

async function judgeWay({ upstreamUrl: { protocol, hostname } }: Config): Promise<Finding> {
  const bare = hostname.replace(/^\[|\]$/g, '')
  const addresses = isIP(bare)
    ? [bare]
    : await lookup(bare, { all: true }).then(
        (all) => all.map(({ address }) => address),
        () => [],
      )
  if (addresses.length === 0) return skipped('not known: the name in UPSTREAM_URL cannot be looked up')
  const outside = addresses.find((address) => !PRIVATE(address))
  if (outside === undefined) return ok('the tracking server is on a private address')
  return warning({
    what: `the tracking server is at ${outside}, an address of the internet${protocol === 'http:' ? ', by plain http' : ''}`,
    why: 'It lets everybody do everything who reaches it; only a firewall can keep them off.',
    advice:
      'Put it on a network that only the gateway is on; if that cannot be, behind something that asks for a client certificate (UPSTREAM_CERT_FILE).',
  })
}

/** Reached by loopback, it need not listen anywhere else. */
async function judgeOwnAddresses(
  { config, fetch, nowMs, ownAddresses }: Setup,
  signal: AbortSignal,
): Promise<Finding> {
  const { upstreamUrl } = config
  if (!isLoopback(upstreamUrl.hostname)) {
    return skipped(
      'the tracking server is on another machine: who can reach it there cannot be seen from here',
    )
  }
  const origins = ownAddresses.map((address) => originAt(upstreamUrl, address))
  const open = await Promise.all(origins.map((origin) => isMlflow(fetch, `${origin}`, signal, nowMs)))
  const found = origins.filter((_, index) => open[index])
  if (found.length === 0) return ok('the tracking server listens on no other address of this machine')
  return fault({
    what: `MLflow answers everybody at ${found.join(' and ')}`,
    why: 'Who reaches this machine there needs no sign-in and no role.',
    advice:
      'Start it with --host 127.0.0.1; in a container of its own, on a network that only the gateway is on.',
  })
}

async function judgePublicHost({ config, fetch, nowMs }: Setup, signal: AbortSignal): Promise<Finding> {
  const { publicUrl, upstreamUrl } = config
  if (isLoopback(publicUrl.hostname))
    return skipped('PUBLIC_URL is this machine itself: what others can reach cannot be seen from here')
  const hostname = publicUrl.hostname
  const open: string[] = []
  // The port of MLflow, and its usual one, at the name everybody knows.
  for (const port of new Set([upstreamUrl.port, '5000'])) {
    if (port === '' || port === publicUrl.port) continue
    const origin = `http://${hostname}:${port}`
    if (await isMlflow(fetch, origin, signal, nowMs)) open.push(origin)
  }
  if (open.length === 0) {
    return ok('MLflow does not answer at the host of PUBLIC_URL; other networks cannot be seen from here')
  }
  return fault({
    what: `MLflow answers without a sign-in at ${open.join(' and ')}`,
    why: 'Whoever finds the port gets around the gateway, to everything.',
    advice:
      'Do not publish the port: have MLflow listen on an internal network only, and shut it off by a firewall.',
  })
}

function originAt({ port, protocol }: URL, address: string): string {
  return `${protocol}//${address.includes(':') ? `[${address}]` : address}:${port || (protocol === 'https:' ? 443 : 80)}`
}

/** MLflow says its version to anybody. */
async function isMlflow(
  send: typeof fetch,
  origin: string,
  signal: AbortSignal,
  nowMs: () => number,
): Promise<boolean> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(2000)])
  const reached = await reach(send, `${origin}/version`, { signal: limit }, nowMs)
  return (
    !('fault' in reached) && reached.response.status === 200 && knownNear(reached.text.trim()) !== undefined
  )
}

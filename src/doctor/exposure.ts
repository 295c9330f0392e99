import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { isLoopback } from '../config/checks.ts'
import type { Config } from '../config.ts'
import { knownNear } from '../mlflow/version.ts'
import { createNetworks } from '../network/address.ts'
import { type Finding, fault, ok, skipped, warning } from './check.ts'
import { reach } from './reach.ts'
import type { Setup } from './setup.ts'

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

/** Whether the address of the tracking server is one of a private network. */
export async function judgeWay({ upstreamUrl: { protocol, hostname } }: Config): Promise<Finding> {
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
export async function judgeOwnAddresses(
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

/** Whether MLflow answers, without a sign-in, at the host that everybody knows. */
export async function judgePublicHost(
  { config, fetch, nowMs }: Setup,
  signal: AbortSignal,
): Promise<Finding> {
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

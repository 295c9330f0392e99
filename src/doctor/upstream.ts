import { hostOf } from '../config/upstreams.ts'
import type { Config } from '../config.ts'
import { isGatewayError } from '../errors.ts'
import { createUpstream, type Upstream, type UpstreamResponse } from '../mlflow/upstream.ts'
import { KNOWN_VERSIONS, knownNear } from '../mlflow/version.ts'
import { type Check, type Finding, fault, ok, skipped, warning } from './check.ts'
import { judgeOwnAddresses, judgePublicHost, judgeWay } from './exposure.ts'
import { type ReachFault, reachFault } from './reach.ts'
import type { Setup } from './setup.ts'

/** Seconds. */
const PATIENCE = 4

type Answer = UpstreamResponse | { readonly fault: ReachFault }

/** The tracking server: is it there, does it answer the gateway, and does it answer anybody else. */
export function upstreamChecks(setup: Setup): readonly Check[] {
  const { config } = setup
  return [
    { name: 'MLflow: answers', run: () => asking(config, (upstream) => judgeHealth(upstream)) },
    ...artifactChecks(config),
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

/** The artifact server beside it, if there is one. */
function artifactChecks(config: Config): readonly Check[] {
  const { artifactsUrl: url } = config
  if (url === undefined) return []
  const there = { ...config, upstreamUrl: url, upstreamHost: hostOf(url) }
  const server = { what: 'the artifact server', variable: 'UPSTREAM_ARTIFACTS_URL' }
  return [
    { name: 'MLflow: artifacts', run: () => asking(there, (upstream) => judgeHealth(upstream, server)) },
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

type Server = { readonly what: string; readonly variable: string }

const TRACKING: Server = { what: 'the tracking server', variable: 'UPSTREAM_URL' }

async function judgeHealth(upstream: Upstream, { what, variable }: Server = TRACKING): Promise<Finding> {
  const answer = await get(upstream, '/health')
  if ('fault' in answer) {
    return fault({
      what: `${what} cannot be reached: ${answer.fault.reason}`,
      why: 'Every request to it that is allowed would be answered 502.',
      advice: answer.fault.isUntrusted
        ? 'If its authority is your own, set UPSTREAM_CA_FILE to a file with its certificate.'
        : `Start it, and check ${variable} (scheme, host, port, path) and the network between the two.`,
    })
  }
  if (answer.status === 200) return ok(`${what} answers`)
  return fault({
    what: `${what} answered ${answer.status} to /health`,
    why: `What answers at ${variable} is no MLflow, or one under another path, or not well.`,
    advice: `Check ${variable}; with --static-prefix its path is part of it. Look at the log of the server.`,
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

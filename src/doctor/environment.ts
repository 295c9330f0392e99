import { isLoopback } from '../config/checks.ts'
import { type Check, type Finding, fault, ok, warning } from './check.ts'
import type { Setup } from './setup.ts'

/** What the process is started with. What no gateway starts with is a fault of the configuration, not found here. */
export function environmentChecks(setup: Setup): readonly Check[] {
  const { config } = setup
  return [
    { name: 'configuration', run: async () => ok('every variable is understood') },
    ...config.warnings.map((sentence, index) => ({
      name: `configuration: warning ${index + 1}`,
      run: async () => startWarning(sentence),
    })),
    { name: 'environment: mode', run: async () => judgeMode(setup) },
    { name: 'environment: user', run: async () => judgeUser(setup) },
    { name: 'environment: Node', run: async () => judgeNode(setup) },
    { name: 'environment: proxy', run: async () => judgeProxy(setup) },
  ]
}

function startWarning(sentence: string): Finding {
  return warning({
    what: sentence,
    why: 'The gateway says so at every start: it is permitted, and weakens it or is probably not meant.',
    advice: 'Correct it, or know why it has to be so. README.md describes each variable.',
  })
}

function judgeMode({ config: { environment, publicUrl } }: Setup): Finding {
  if (environment === 'production' || isLoopback(publicUrl.hostname)) return ok(`NODE_ENV is ${environment}`)
  return warning({
    what: 'NODE_ENV is not production',
    why: 'Things are permitted then that are meant for tests.',
    advice: 'Set NODE_ENV=production.',
  })
}

function judgeUser({ uid }: Setup): Finding {
  if (uid !== 0) return ok('it does not run as root')
  return warning({
    what: 'it runs as root, and the gateway does too if it is started as this command is',
    why: 'Whoever got into the process would have the machine.',
    advice: 'Run it as a user of its own; the image, the chart and the systemd unit do.',
  })
}

/** Write what was encrypted, or the keys of it, into a file or the log. */
const TELLTALE = /--(?:tls-keylog|trace-tls)|--inspect/
const WEAK = /--tls-min-v1\.[01]|--insecure-http-parser/

function judgeNode({ env }: Setup): Finding {
  const options = env['NODE_OPTIONS'] ?? ''
  const weak = WEAK.exec(options)?.[0]
  const telltale = TELLTALE.exec(options)?.[0] ?? (env['NODE_DEBUG'] ? 'NODE_DEBUG' : undefined)
  if (weak !== undefined) {
    return fault({
      what: `NODE_OPTIONS holds ${weak}`,
      why: 'Requests could then be read in two ways, or connections be weaker than this gateway lets them be.',
      advice: 'Take it out.',
    })
  }
  if (telltale !== undefined) {
    return fault({
      what: `${telltale} is set`,
      why: 'It opens what the process does, tokens and cookies with it, to a file, the log or a port.',
      advice: 'Take it out of the environment of the gateway.',
    })
  }
  return ok(`Node ${process.versions.node}, with nothing that weakens it`)
}

/** Node looks at the usual variables only when told to. */
function judgeProxy({ env }: Setup): Finding {
  const name = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'].find((each) => env[each])
  if (name === undefined || env['NODE_USE_ENV_PROXY'] === '1')
    return ok('ways out are as they are configured')
  return warning({
    what: `${name} is set, and Node does not look at it`,
    why: 'If providers can be reached by that proxy only, nobody can sign in.',
    advice: 'If so, set NODE_USE_ENV_PROXY=1 and NO_PROXY for what is inside; if not, remove it.',
  })
}

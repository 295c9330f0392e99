import { fileURLToPath } from 'node:url'
import { type Browser, createBrowser, signInAs } from './browserless-sign-in.ts'
import { type RunningGateway, startGateway } from './gateway.ts'
import { type AccountName, type Issuer, startIssuer } from './issuer.ts'
import { freePort, type MlflowOptions, type RunningMlflow, startMlflow } from './mlflow.ts'

export const ACCOUNTS = ['admin', 'editor', 'reader', 'outsider'] as const satisfies readonly AccountName[]

/** What the demo is started with: EDIT and READ on `alpha/*` and `alpha-*` for two groups. */
export const DEMO_POLICY = fileURLToPath(new URL('../demo/policy.yaml', import.meta.url))

export type DeploymentSettings = {
  /** The gateway's. A free one if absent. */
  readonly port?: number
  /** Where the gateway keeps its store; temporary if absent. */
  readonly gatewayDir?: string
  /** Where MLflow keeps everything; temporary if absent. */
  readonly mlflowDir?: string
  /** What MLflow is started with; its folder is `mlflowDir`. */
  readonly mlflow?: Omit<MlflowOptions, 'dir' | 'signal'>
  /** Stands in for MLflow, which is then not started. */
  readonly upstreamUrl?: string
  readonly policyFile?: string
  /** Further variables of the gateway. */
  readonly env?: Readonly<Record<string, string>>
  readonly logFile?: string
  readonly signal?: AbortSignal
}

/** A real MLflow, a real OpenID Provider and the gateway between them, each on its own port of loopback. */
export type Deployment = {
  readonly gateway: RunningGateway
  readonly issuer: Issuer
  readonly mlflow: RunningMlflow | undefined
  /** Signs in at the provider and leaves the session in a new browser; afterwards the gateway knows the account. */
  readonly signIn: (name: AccountName) => Promise<Browser>
  /** An access token made by the CLI for someone who has signed in. */
  readonly createToken: (name: AccountName, ...options: readonly string[]) => Promise<string>
  /** Ends everything, whatever fails on the way. Safe to call twice. */
  readonly stop: () => Promise<void>
}

/** @throws {Error} if any part does not start; nothing is left behind. */
export async function startDeployment(settings: DeploymentSettings = {}): Promise<Deployment> {
  const port = settings.port ?? (await freePort())
  const { signal } = settings
  const starting = [
    startIssuer({ publicUrls: [`http://127.0.0.1:${port}`] }),
    settings.upstreamUrl === undefined
      ? startMlflow({ ...settings.mlflow, dir: settings.mlflowDir, signal })
      : undefined,
  ] as const
  let gateway: RunningGateway | undefined
  // Also waits for what is still starting when another part has failed.
  const stop = async () => {
    const started = await Promise.allSettled(starting)
    const parts = started.map((part) => (part.status === 'fulfilled' ? part.value : undefined))
    await Promise.allSettled([gateway, ...parts].map((part) => part?.stop()))
  }
  try {
    const [issuer, mlflow] = await Promise.all(starting)
    const running = await startGateway(gatewaySettings(port, settings, { issuer, mlflow }))
    gateway = running
    return {
      ...{ gateway: running, issuer, mlflow, stop },
      async signIn(name) {
        const browser = createBrowser()
        await signInAs(browser, { publicUrl: running.url }, name)
        return browser
      },
      createToken: (name, ...options) => createToken(running, name, options),
    }
  } catch (fault) {
    await stop()
    throw fault
  }
}

function gatewaySettings(
  port: number,
  { gatewayDir, upstreamUrl, policyFile, env, logFile, signal }: DeploymentSettings,
  { issuer, mlflow }: { readonly issuer: Issuer; readonly mlflow: RunningMlflow | undefined },
): Parameters<typeof startGateway>[0] {
  return {
    ...{ port, dir: gatewayDir, upstreamUrl: upstreamUrl ?? mlflow?.url ?? '' },
    ...(logFile === undefined ? {} : { logFile }),
    ...(signal === undefined ? {} : { signal }),
    env: {
      OIDC_ISSUER: issuer.url,
      OIDC_CLIENT_ID: issuer.clientId,
      OIDC_CLIENT_SECRET: issuer.clientSecret,
      OIDC_GROUPS_CLAIM: 'groups',
      ALLOW_HTTP_ISSUER: 'true',
      ADMIN_GROUPS: 'mlflow-admins',
      POLICY_FILE: policyFile ?? DEMO_POLICY,
      LOG_LEVEL: 'warn',
      ...env,
    },
  }
}

async function createToken(
  gateway: RunningGateway,
  name: AccountName,
  options: readonly string[],
): Promise<string> {
  const expires = options.includes('--expires') ? [] : ['--expires', '1h']
  const { code, stdout, stderr } = await gateway.cli(
    'token',
    'create',
    '--user',
    name,
    ...expires,
    ...options,
  )
  if (code !== 0) throw new Error(`no token for ${name}: ${stderr}`)
  return stdout.trim()
}

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createBrowser, submitName } from '../../test/support/browserless-sign-in.ts'
import { answers, endProcess } from '../../test/support/gateway.ts'
import type { Issuer } from '../../test/support/issuer.ts'
import { startIssuer } from '../../test/support/issuer.ts'
import { freePort } from '../../test/support/mlflow.ts'
import { installOauth2Proxy } from './installed.ts'
import type { Subject } from './subjects.ts'

/** oauth2-proxy, asked in two ways. */
export type Oauth2ProxySubject = Subject & { readonly bearer: Readonly<Record<string, string>> }

/** Both of its paths that the provider of the tests sends people to are where the gateway's are. */
const PREFIX = '/auth/callback'

/**
 * oauth2-proxy with its session in a cookie, as it comes, request log included (the gateway keeps one too), behind a real
 * sign-in at an OpenID Provider; tokens of that provider are taken as well.
 */
export async function startOauth2Proxy(upstreamUrl: string): Promise<Oauth2ProxySubject> {
  const program = installOauth2Proxy()
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const issuer = await startIssuer({ publicUrls: [url], providerId: 'callback' })
  const child = spawn(program, settings(url, upstreamUrl, issuer), { stdio: 'ignore' })
  const stop = async () => {
    await endProcess(child)
    await issuer.stop()
  }
  try {
    await answers(`${url}/ping`, child)
    const cookie = await signIn(url)
    const token = await issuer.signJwt({ sub: 'editor', email: 'editor@example.org', email_verified: true })
    return {
      ...{ url, stop, pids: [child.pid ?? 0] },
      headers: { cookie },
      bearer: { authorization: `Bearer ${token}` },
    }
  } catch (fault) {
    await stop()
    throw fault
  }
}

function settings(url: string, upstreamUrl: string, issuer: Issuer): readonly string[] {
  return [
    ...['--provider=oidc', `--oidc-issuer-url=${issuer.url}`],
    ...[`--client-id=${issuer.clientId}`, `--client-secret=${issuer.clientSecret}`],
    `--cookie-secret=${randomBytes(16).toString('hex')}`,
    ...['--cookie-secure=false', '--email-domain=*', '--code-challenge-method=S256'],
    ...[`--proxy-prefix=${PREFIX}`, `--redirect-url=${url}${PREFIX}/callback`],
    ...[`--http-address=${new URL(url).host}`, `--upstream=${upstreamUrl}`],
    ...['--skip-jwt-bearer-tokens=true', '--skip-provider-button=true'],
  ]
}

async function signIn(url: string): Promise<string> {
  const browser = createBrowser()
  const page = await browser.navigate(`${url}${PREFIX}/start?rd=/`, {
    stop: (target) => target.href === `${url}/`,
  })
  await submitName(browser, { publicUrl: url }, page, 'editor')
  return browser.cookieHeader(url)
}

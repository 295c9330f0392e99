import { join } from 'node:path'
import { startArtifactUpstream, startFixedUpstream } from './fixed-upstream.ts'
import { type GatewaySubject, startGatewaySubject } from './gateway-subject.ts'
import { startBareMlflow, startBasicAuth, startOidcAuth } from './mlflow-subjects.ts'
import { type Oauth2ProxySubject, startOauth2Proxy } from './oauth2-proxy.ts'
import { type Subject, startBareProxy, startNginxProxy, startVerifyingProxy } from './subjects.ts'

/** By the name it is chosen with: what the table calls it. */
export const SUBJECTS = {
  nginx: 'nginx, a plain proxy',
  bare: 'bare Fastify + reply-from',
  verifying: 'the same + jwtVerify',
  'oauth2-proxy': 'oauth2-proxy, cookie',
  'oauth2-proxy-bearer': 'oauth2-proxy, bearer',
  gateway: 'gateway, bearer',
  'gateway-cookie': 'gateway, cookie',
  'gateway-roles': 'gateway, bearer, 1,000 roles',
  mlflow: 'MLflow, bare',
  'mlflow-nginx': 'nginx + bare MLflow',
  'mlflow-bare': 'bare Fastify + bare MLflow',
  'mlflow-gateway': 'gateway + bare MLflow',
  'mlflow-oidc-auth': 'MLflow with mlflow-oidc-auth',
  'mlflow-basic-auth': 'MLflow with basic-auth',
} as const

export type SubjectName = keyof typeof SUBJECTS

/** What answers behind the proxies. */
export type Behind = 'answers' | 'artifacts'

/** Starts what is asked for, once, and ends all of it. */
export type Stage = {
  /** @throws {NotHere} if it cannot be had on this machine. */
  readonly subject: (name: SubjectName, behind: Behind) => Promise<Subject>
  readonly stop: () => Promise<void>
}

/** @param dir For everything that is written. @param nodeOptions Further options of Node's for the gateway. */
export function createStage(dir: string, nodeOptions: readonly string[]): Stage {
  const started = new Map<string, Promise<{ readonly stop: () => Promise<void> }>>()
  const once = <T extends { readonly stop: () => Promise<void> }>(key: string, start: () => Promise<T>) => {
    const running = (started.get(key) as Promise<T> | undefined) ?? start()
    started.set(key, running)
    return running
  }
  const upstream = (behind: Behind) =>
    once(`upstream ${behind}`, () =>
      behind === 'answers' ? startFixedUpstream(join(dir, 'upstream')) : startArtifactUpstream(),
    )
  const gateway = (key: string, upstreamUrl: string, roles: number): Promise<GatewaySubject> => {
    const settings = { upstreamUrl, dir: join(dir, key.replaceAll(' ', '-')), nodeOptions, roles }
    return once(key, () => startGatewaySubject(settings))
  }
  const proxied = async (name: SubjectName, behind: Behind): Promise<Subject> => {
    const { url } = await upstream(behind)
    const oauth2Proxy = (): Promise<Oauth2ProxySubject> =>
      once(`oauth2-proxy ${behind}`, () => startOauth2Proxy(url))
    switch (name) {
      case 'nginx':
        return once(`nginx ${behind}`, () => startNginxProxy(url, join(dir, `nginx-${behind}`)))
      case 'bare':
        return once(`bare ${behind}`, () => startBareProxy(url))
      case 'verifying':
        return once(`verifying ${behind}`, () => startVerifyingProxy(url, dir))
      case 'oauth2-proxy':
        return oauth2Proxy()
      case 'oauth2-proxy-bearer':
        return oauth2Proxy().then((subject) => ({ ...subject, headers: subject.bearer }))
      case 'gateway-cookie':
        return gateway(`gateway ${behind}`, url, 1).then((one) => ({ ...one, headers: one.cookies }))
      case 'gateway-roles':
        return gateway(`gateway-roles ${behind}`, url, 1000)
      default:
        return gateway(`gateway ${behind}`, url, 1)
    }
  }
  const inFront = (name: SubjectName, url: string): Promise<Subject> => {
    if (name === 'mlflow-nginx') return once(name, () => startNginxProxy(url, join(dir, name)))
    if (name === 'mlflow-bare') return once(name, () => startBareProxy(url))
    return gateway(name, url, 1)
  }
  const real = async (name: SubjectName): Promise<Subject> => {
    if (name === 'mlflow-basic-auth') return once(name, () => startBasicAuth(join(dir, name))).then(alone)
    if (name === 'mlflow-oidc-auth') return once(name, () => startOidcAuth(join(dir, name))).then(alone)
    const bare = await once('mlflow', () => startBareMlflow(join(dir, 'mlflow')))
    if (name === 'mlflow') return alone(bare)
    const front = await inFront(name, bare.url)
    return { ...front, pids: [...front.pids, ...bare.pids], front: front.pids }
  }
  return {
    subject: (name, behind) => (name.startsWith('mlflow') ? real(name) : proxied(name, behind)),
    stop: async () => {
      const running = await Promise.allSettled(started.values())
      await Promise.allSettled(running.map((one) => one.status === 'fulfilled' && one.value.stop()))
    },
  }
}

/** Nothing in front of it. */
function alone(subject: Subject): Subject {
  return { ...subject, front: [] }
}

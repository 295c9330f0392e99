import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { problemsOf } from '../config/environment.ts'
import { type Issuer, startIssuer } from '../support/issuer.ts'
import { A, B } from '../support/mlflow-stand-in.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

/*
 * Field report 40: a pipeline has a credential without anybody at a screen. Two issuers of machines beside the people's: `ci`,
 * which is asked for its keys, and lets in what is built from one branch; `cluster`, which cannot be reached, whose keys are in
 * a file, and of which one namespace may come.
 */

const CLUSTER = 'https://kubernetes.default.svc.cluster.local'
const MAIN = 'repo:your-org/training:ref:refs/heads/main'
const TRAINER = 'system:serviceaccount:training:trainer'

const dir = mkdtempSync(join(tmpdir(), 'machine-issuers-'))
let gateway: TestGateway
let ci: Issuer
let signAsCluster: (claims: Record<string, unknown>, alg?: string) => Promise<string>

beforeAll(async () => {
  ci = await startIssuer()
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true })
  const keys = [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256', use: 'sig' }]
  writeFileSync(join(dir, 'keys.json'), JSON.stringify({ keys }))
  signAsCluster = (claims) =>
    new SignJWT({ iss: CLUSTER, aud: 'mlflow', sub: TRAINER, ...claims })
      .setProtectedHeader({ alg: 'RS256', kid: 'one' })
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(privateKey)
  gateway = await startTestGateway({
    env: {
      ...{ OIDC_ISSUER: '', OIDC_CLIENT_ID: '', ADMIN_USERS: 'oidc:admin', ALLOW_HTTP_ISSUER: 'true' },
      ...{ OIDC_PROVIDERS: 'oidc,ci,cluster' },
      ...{ OIDC_OIDC_ISSUER: 'https://issuer.invalid', OIDC_OIDC_CLIENT_ID: 'mlflow' },
      ...{ OIDC_CI_ISSUER: ci.url, OIDC_CI_CLIENT_ID: 'mlflow', OIDC_CI_SIGN_IN: 'false' },
      ...{ OIDC_CI_BEARER_SUBJECTS: MAIN, OIDC_CI_USERNAME_CLAIM: 'sub' },
      ...{ OIDC_CLUSTER_ISSUER: CLUSTER, OIDC_CLUSTER_CLIENT_ID: 'mlflow', OIDC_CLUSTER_SIGN_IN: 'false' },
      ...{ OIDC_CLUSTER_JWKS_FILE: join(dir, 'keys.json'), OIDC_CLUSTER_USERNAME_CLAIM: 'sub' },
      OIDC_CLUSTER_BEARER_SUBJECTS: 'system:serviceaccount:training:*',
    },
  })
  await gateway.store.roles.replacePolicy({
    roles: [
      {
        name: 'from-policy',
        grants: [{ resourceType: 'experiment', match: 'name', pattern: 'alpha/*', level: 'EDIT' }],
      },
    ],
    groups: [],
    users: [
      { provider: 'ci', name: MAIN, role: 'from-policy' },
      { provider: 'cluster', name: TRAINER, role: 'from-policy' },
    ],
  })
})
afterAll(async () => {
  await gateway?.stop()
  await ci?.stop()
  rmSync(dir, { recursive: true, force: true })
})

async function get(token: string, id: string) {
  const headers = [`Authorization: Bearer ${token}`]
  const { line, event } = await gateway.ask({
    target: `/api/2.0/mlflow/experiments/get?experiment_id=${id}`,
    headers,
  })
  return { line, username: event?.username, provider: event?.provider }
}

const asCi = (claims: Record<string, unknown>) => ci.signJwt({ sub: MAIN, aud: 'mlflow', ...claims })

describe('field report 40: a pipeline’s own token', () => {
  it('of a CI service, is who its subject says, with the role given to it before it ever came', async () => {
    const token = await asCi({})
    expect(await get(token, A)).toEqual({ line: '200 allow', username: `ci:${MAIN}`, provider: 'ci' })
    expect(await get(token, B)).toMatchObject({ line: '403 PERMISSION_DENIED no_grant' })
  })

  it('of a cluster that is out of reach, likewise', async () => {
    const token = await signAsCluster({})
    expect(await get(token, A)).toEqual({
      line: '200 allow',
      username: `cluster:${TRAINER}`,
      provider: 'cluster',
    })
    expect(await get(token, B)).toMatchObject({ line: '403 PERMISSION_DENIED no_grant' })
  })

  it.each([
    ['another branch', 'repo:your-org/training:ref:refs/heads/try'],
    ['another repository', 'repo:evil-org/training:ref:refs/heads/main'],
    ['more than the branch', `${MAIN}-2`],
    ['in another case', MAIN.toUpperCase()],
  ])('%s is refused, and nobody comes to be', async (_, sub) => {
    const before = await gateway.store.people.list()
    expect(await get(await asCi({ sub }), A)).toMatchObject({
      line: '403 PERMISSION_DENIED subject_not_allowed',
      username: undefined,
    })
    expect(await gateway.store.people.list()).toEqual(before)
  })

  it.each([
    [
      'another namespace',
      { sub: 'system:serviceaccount:default:trainer' },
      '403 PERMISSION_DENIED subject_not_allowed',
    ],
    ['another audience', { aud: 'https://kubernetes.default.svc' }, '401 UNAUTHENTICATED foreign_audience'],
    ['another issuer', { iss: 'https://other.invalid' }, '401 UNAUTHENTICATED unknown_issuer'],
  ])('of the cluster, %s is refused', async (_, claims, line) => {
    expect((await get(await signAsCluster(claims), A)).line).toBe(line)
  })

  it('one signed with another key is refused', async () => {
    const { privateKey } = await generateKeyPair('RS256')
    const forged = await new SignJWT({ iss: CLUSTER, aud: 'mlflow', sub: TRAINER })
      .setProtectedHeader({ alg: 'RS256', kid: 'one' })
      .setExpirationTime('1h')
      .sign(privateKey)
    expect((await get(forged, A)).line).toMatch(/^401 UNAUTHENTICATED /)
  })

  it('no page offers to sign in with them, and none begins it', async () => {
    const page = await gateway.ask({ target: '/auth/login' })
    expect(page.text).toContain('provider=oidc')
    expect(page.text).not.toMatch(/provider=(?:ci|cluster)/)
    for (const id of ['ci', 'cluster']) {
      expect((await gateway.ask({ target: `/auth/login?provider=${id}` })).status).toBe(400)
    }
  })
})

describe('what a file of keys may be', () => {
  const path = (name: string, content: string) => {
    writeFileSync(join(dir, name), content)
    return { OIDC_JWKS_FILE: `/${name}` }
  }
  const problems = (content: string | undefined, more: Record<string, string> = { OIDC_SIGN_IN: 'false' }) =>
    problemsOf(
      { ...path('x.json', content ?? ''), ...more },
      content === undefined ? {} : { '/x.json': content },
    )
  it.each([
    ['nothing that can be read', undefined, 'OIDC_JWKS_FILE names a file that cannot be read'],
    ['no JSON', '{', 'OIDC_JWKS_FILE names a file that is no set of public keys'],
    ['no keys', '{"keys":[]}', 'OIDC_JWKS_FILE names a file that is no set of public keys'],
    [
      'a shared secret',
      '{"keys":[{"kty":"oct","k":"AAAA"}]}',
      'OIDC_JWKS_FILE names a file that is no set of public keys',
    ],
    [
      'a private key',
      '{"keys":[{"kty":"OKP","crv":"Ed25519","x":"A","d":"A"}]}',
      'OIDC_JWKS_FILE names a file that is no set of public keys',
    ],
  ])('%s', (_, content, problem) => {
    expect(problems(content)).toEqual([problem])
  })

  it('goes with no sign-in, and one of the two must be on', () => {
    const good = '{"keys":[{"kty":"OKP","crv":"Ed25519","x":"A"}]}'
    expect(problems(good)).toEqual([])
    expect(problems(good, {})).toEqual(['OIDC_JWKS_FILE is set and OIDC_SIGN_IN is true'])
    expect(problemsOf({ OIDC_SIGN_IN: 'false', OIDC_ACCEPT_BEARER: 'false' })).toEqual([
      'OIDC_SIGN_IN is false and so is OIDC_ACCEPT_BEARER',
    ])
  })
})

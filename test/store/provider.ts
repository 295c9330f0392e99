import type { SignIn } from '../../src/store/people.ts'

/** The only provider of most tests. */
export const OIDC = { id: 'oidc', issuer: 'https://idp.example' }

/** Somebody called `username` at {@link OIDC}, whose subject is `subject-of-` and that name unless said otherwise. */
export function signInOf(username: string, more: Partial<SignIn> = {}): SignIn {
  return {
    provider: OIDC.id,
    issuer: OIDC.issuer,
    subject: `subject-of-${username}`,
    username,
    groups: [],
    ...more,
  }
}

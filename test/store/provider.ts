/** The only provider of most tests. */
export const OIDC = { id: 'oidc', issuer: 'https://idp.example' }

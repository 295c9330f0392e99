export const REALM = 'company'
export const CLIENT_ID = 'mlflow'

/** Everybody's, save the administrator's of Keycloak itself. */
export const PASSWORD = 'correct horse battery staple'

export type RealmSettings = {
  /** The gateway's. */
  readonly publicUrl: string
  /** The client's. */
  readonly secret: string
  /** Each person's groups. */
  readonly people: Readonly<Record<string, readonly string[]>>
}

/** A realm as Keycloak's API takes one: people with a password, groups, and the gateway as client. */
export function realm({ publicUrl, secret, people }: RealmSettings) {
  return {
    ...{ realm: REALM, enabled: true, sslRequired: 'none', accessTokenLifespan: 300 },
    groups: [...new Set(Object.values(people).flat())].map((name) => ({ name })),
    users: Object.entries(people).map(([username, groups]) => ({
      ...{ username, enabled: true, email: `${username}@example.org`, emailVerified: true },
      ...{ firstName: username, lastName: 'Example', groups: groups.map((group) => `/${group}`) },
      credentials: [{ type: 'password', value: PASSWORD, temporary: false }],
    })),
    clients: [
      {
        ...{ clientId: CLIENT_ID, secret, redirectUris: [`${publicUrl}/*`] },
        ...{ standardFlowEnabled: true, directAccessGrantsEnabled: true },
        protocolMappers: [
          mapper('oidc-group-membership-mapper', { 'claim.name': 'groups', 'full.path': 'false' }),
          mapper('oidc-audience-mapper', { 'included.client.audience': CLIENT_ID }),
        ],
      },
    ],
  }
}

function mapper(protocolMapper: string, config: Readonly<Record<string, string>>) {
  const everywhere = {
    'id.token.claim': 'true',
    'access.token.claim': 'true',
    'userinfo.token.claim': 'true',
  }
  return {
    name: protocolMapper,
    protocol: 'openid-connect',
    protocolMapper,
    config: { ...everywhere, ...config },
  }
}

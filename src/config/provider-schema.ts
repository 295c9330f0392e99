import { type Static, Type } from 'typebox'
import { flag, list, type Note, optionalText, text } from './note.ts'

/** Signature algorithms with a public key (RFC 7518 §3.1, RFC 8037, RFC 9864). HMAC and `none` cannot be configured. */
export const ASYMMETRIC_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const

/** The variables of one OpenID Provider, without their prefix `OIDC_` or `OIDC_<ID>_`. */
export const ProviderSchema = Type.Object({
  ISSUER: text({
    section: 'Sign-in with an OpenID Provider',
    description: 'Issuer identifier, exactly as the provider announces it.',
    expect: 'an https URL without user, query or fragment',
    example: 'https://sso.your-company.example/realms/main',
    placeholder: true,
  }),
  CLIENT_ID: text({
    section: 'Sign-in with an OpenID Provider',
    description: 'Client id the provider gave this gateway.',
    expect: 'the client id that the provider gave this gateway',
    example: 'your-client-id',
    placeholder: true,
  }),
  CLIENT_SECRET: optionalText({
    section: 'Sign-in with an OpenID Provider',
    description:
      'Client secret the provider gave this gateway. Left out: a public client, bound by PKCE alone.',
    example: 'change-me-to-the-client-secret',
    secret: true,
    placeholder: true,
  }),
  LABEL: optionalText({
    section: 'Sign-in with an OpenID Provider',
    description: "What the sign-in button says. Left out: the provider's id.",
    example: 'Company account',
  }),
  SCOPES: text({
    section: 'Sign-in with an OpenID Provider',
    default: 'openid profile email',
    pattern: '^(?:\\S+ )*openid(?: \\S+)*$',
    expect: 'scopes separated by single spaces, openid among them',
    description: 'Scopes to ask for.',
  }),
  GROUPS_CLAIM: optionalText({
    section: 'Sign-in with an OpenID Provider',
    description:
      'Claim that lists groups, as a dotted path; `\\.` is a dot inside a segment. Left out: no groups from this provider.',
    example: 'realm_access.roles',
  }),
  USERNAME_CLAIM: text({
    section: 'Sign-in with an OpenID Provider',
    default: 'preferred_username',
    description:
      'Claim that names the person; where it is missing, the verified e-mail address, then the subject.',
  }),
  AUDIENCES: list({
    section: 'Sign-in with an OpenID Provider',
    description:
      'What `aud` of a bearer JWT of this issuer may be, comma-separated. Left out: the client id. Never list an audience that tokens for other applications carry, such as `account` of Keycloak.',
    example: 'mlflow',
  }),
  BEARER_ALGORITHMS: Type.Array(Type.Enum([...ASYMMETRIC_ALGORITHMS]), {
    default: ['RS256', 'PS256', 'ES256', 'EdDSA'],
    minItems: 1,
    section: 'Sign-in with an OpenID Provider',
    description: 'Signature algorithms accepted in bearer JWTs of this issuer, comma-separated.',
    expect: `some of ${ASYMMETRIC_ALGORITHMS.join(', ')}, comma-separated`,
  } satisfies Note & { default: string[]; minItems: number }),
  ACCEPT_BEARER: flag({
    section: 'Sign-in with an OpenID Provider',
    default: true,
    description: 'Whether JWTs of this issuer are accepted as bearer tokens.',
  }),
  BEARER_SUBJECTS: list({
    section: 'Sign-in with an OpenID Provider',
    description:
      'What `sub` of a bearer JWT of this issuer may be, comma-separated, `*` for any characters; others are refused. For issuers that also vouch for what is not yours, such as a CI service or a cluster. Left out: any.',
    example: 'repo:your-org/training:ref:refs/heads/main',
  }),
  SIGN_IN: flag({
    section: 'Sign-in with an OpenID Provider',
    default: true,
    description:
      'Whether people sign in with it. false for an issuer of machines, such as a CI service or a Kubernetes cluster: its JWTs are accepted, and no page offers it.',
  }),
  JWKS_FILE: optionalText({
    section: 'Sign-in with an OpenID Provider',
    description:
      "File with the issuer's public keys as a JSON Web Key Set (RFC 7517), for an issuer that the gateway cannot reach. Needs SIGN_IN=false: nothing is discovered then. Read at start.",
    example: '/etc/mlflow-auth-gateway/cluster-keys.json',
  }),
  ALLOWED_HOSTS: list({
    section: 'Sign-in with an OpenID Provider',
    description:
      "Further hosts that the gateway may call for this provider, comma-separated. Always allowed: the issuer's own and, for Google and Entra ID, their well-known ones.",
    example: 'your-pool.auth.eu-central-1.amazoncognito.com',
  }),
  CA_FILE: optionalText({
    section: 'Sign-in with an OpenID Provider',
    description:
      "PEM file with the authorities, and no others, that the provider's certificates may be from. Left out: those that Node ships. A renewed file counts within ten seconds.",
    example: '/etc/mlflow-auth-gateway/internal-ca.crt',
  }),
})

/** The variables of Google, without their prefix `GOOGLE_`. Setting CLIENT_ID switches the provider on. */
export const GoogleSchema = Type.Object({
  CLIENT_ID: text({
    section: 'Sign-in with Google',
    description: 'OAuth client id of the Google Cloud project. Adds the provider `google`.',
    expect: 'the OAuth client id of the Google Cloud project',
    example: 'your-client-id.apps.googleusercontent.com',
    placeholder: true,
  }),
  CLIENT_SECRET: text({
    section: 'Sign-in with Google',
    description: 'Its client secret.',
    expect: 'the client secret of the Google Cloud project',
    example: 'change-me-to-the-client-secret',
    secret: true,
    placeholder: true,
  }),
  LABEL: text({
    section: 'Sign-in with Google',
    default: 'Google',
    description: 'What the sign-in button says.',
  }),
  HOSTED_DOMAIN: optionalText({
    section: 'Sign-in with Google',
    pattern: '^[a-z0-9-]+(?:\\.[a-z0-9-]+)+$',
    expect: 'one domain name in lower case',
    description:
      'Workspace domain that the `hd` claim must name. Left out: every Google account in the world can sign in, though without permissions.',
    example: 'your-company.com',
  }),
  SERVICE_ACCOUNTS: list({
    section: 'Sign-in with Google',
    description:
      'E-mail addresses or subjects of service accounts whose ID tokens are accepted as bearer tokens.',
    example: 'trainer@your-project.iam.gserviceaccount.com',
  }),
  AUDIENCES: list({
    section: 'Sign-in with Google',
    description: 'What `aud` of such a token may be, comma-separated. Left out: the client id.',
    example: 'https://mlflow.your-company.com',
  }),
  ISSUER_FOR_TESTS_ONLY: optionalText({
    section: 'Sign-in with Google',
    description: 'A loopback stand-in for Google. Refused when NODE_ENV is `production`.',
    expect: 'an http URL of a loopback address',
    example: 'http://127.0.0.1:9000',
  }),
})

export type ProviderVariables = Readonly<Static<typeof ProviderSchema>>
export type GoogleVariables = Readonly<Static<typeof GoogleSchema>>

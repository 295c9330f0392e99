import { Type } from 'typebox'
import { flag, optionalText, text } from './note.ts'

/** How a tracking server is reached: `UPSTREAM_` before them for the main one, `UPSTREAM_<ID>_` for a further one. */
export const ReachSchema = Type.Object({
  URL: text({
    section: 'Further tracking servers',
    description: 'Its own address, as UPSTREAM_URL.',
    expect: 'an http or https URL without user, query or fragment',
    example: 'http://127.0.0.1:5001',
  }),
  HOST: optionalText({
    section: 'Further tracking servers',
    description: 'As UPSTREAM_HOST.',
    expect: 'a host name, with its port if it needs one',
    example: 'staging.internal:5000',
  }),
  ARTIFACTS_URL: optionalText({
    section: 'Further tracking servers',
    description: 'As UPSTREAM_ARTIFACTS_URL.',
    expect: 'an http or https URL without user, query or fragment',
    example: 'http://127.0.0.1:5501',
  }),
  CA_FILE: optionalText({
    section: 'Further tracking servers',
    description: 'As UPSTREAM_CA_FILE.',
    example: '/etc/mlflow-auth-gateway/internal-ca.crt',
  }),
  CERT_FILE: optionalText({
    section: 'Further tracking servers',
    description: 'As UPSTREAM_CERT_FILE.',
    example: '/etc/mlflow-auth-gateway/upstream.crt',
  }),
  KEY_FILE: optionalText({
    section: 'Further tracking servers',
    description: 'As UPSTREAM_KEY_FILE.',
    example: '/etc/mlflow-auth-gateway/upstream.key',
  }),
  WORKSPACES: flag({
    section: 'Further tracking servers',
    default: false,
    description: 'As WORKSPACES.',
  }),
})

/** The variables of a further tracking server, without their prefix `UPSTREAM_<ID>_`. */
export const UpstreamSchema = Type.Object({
  PUBLIC_URL: text({
    section: 'Further tracking servers',
    description:
      'Address under which people and scripts use it: another host name, which keeps its pages apart from those of the others, or a path below PUBLIC_URL. The sign-in comes back to it, so the provider must know its /auth/callback/<provider> too.',
    expect: 'an http or https URL without user, query or fragment',
    example: 'https://staging.mlflow.your-company.example',
  }),
  ...ReachSchema.properties,
})

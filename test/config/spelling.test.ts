import { describe, expect, it } from 'vitest'
import { faultsOf } from './environment.ts'

describe('misspelt variables', () => {
  it.each([
    ['OIDC_ISUER', 'Did you mean OIDC_ISSUER?'],
    ['OIDC_CLEINT_SECRET', 'Did you mean OIDC_CLIENT_SECRET?'],
    ['OIDC_CLIENT_SECRETFILE', 'Did you mean OIDC_CLIENT_SECRET_FILE?'],
    ['PUBLIC_ULR', 'Did you mean PUBLIC_URL?'],
    ['SESION_IDLE_TTL', 'Did you mean SESSION_IDLE_TTL?'],
    ['DEFAULT_PERMISSIONS', 'Did you mean DEFAULT_PERMISSION?'],
    ['GOOGLE_HOSTED_DOMAINS', 'Did you mean GOOGLE_HOSTED_DOMAIN?'],
    ['ADMIN_USER', 'Did you mean ADMIN_USERS?'],
    ['ALLOWED_HOST', 'Did you mean ALLOWED_HOSTS?'],
    ['METRIC_PORT', 'Did you mean METRICS_PORT?'],
    ['GATEWAY_PORT', 'Remove it, or look up its name in .env.example.'],
    ['OIDC_DISCOVERY_URL', 'Remove it, or look up its name in .env.example.'],
    ['AUDIT_DAYS', 'Remove it, or look up its name in .env.example.'],
  ])('%s is a fault', (name, remedy) => {
    expect(faultsOf({ [name]: '8080' })).toEqual([
      { name, problem: 'is not a variable of the gateway', remedy },
    ])
  })

  it.each([
    ['HOME', '/root'],
    ['HOSTNAME', 'gateway-0'],
    ['HOSTS', 'a'],
    ['SESSION_MANAGER', 'local/x'],
    ['GOOGLE_APPLICATION_CREDENTIALS', '/x.json'],
    ['GOOGLE_CLOUD_PROJECT', 'x'],
    ['NODE_OPTIONS', '--max-old-space-size=512'],
    ['OIDC_ISUER', ''],
    // A Kubernetes Service called "gateway", or "upstream", puts these into every container.
    ['GATEWAY_SERVICE_HOST', '10.0.0.1'],
    ['GATEWAY_SERVICE_PORT', '8080'],
    ['GATEWAY_SERVICE_PORT_HTTP', '8080'],
    ['GATEWAY_PORT', 'tcp://10.0.0.1:8080'],
    ['GATEWAY_PORT_8080_TCP', 'tcp://10.0.0.1:8080'],
    ['UPSTREAM_PORT_5000_TCP_ADDR', '10.0.0.2'],
  ])('%s=%s is none of ours', (name, value) => {
    expect(faultsOf({ [name]: value })).toEqual([])
  })
})

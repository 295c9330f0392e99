import { type Network, parseNetworks } from '../network/address.ts'
import type { AddressHeader } from '../network/forwarded.ts'
import type { FaultList } from './fault.ts'
import type { GatewayVariables } from './schema.ts'

/** Whose word counts for where a request comes from, and where it may come from. */
export type NetworkConfig = {
  /** Empty: nobody's. */
  readonly trustedProxies: readonly Network[]
  readonly addressHeader: AddressHeader
  readonly proxyProtocol: boolean
  /** Undefined: anywhere. */
  readonly allowedNetworks: readonly Network[] | undefined
}

export function readNetwork(variables: GatewayVariables, faults: FaultList): NetworkConfig {
  const { TRUSTED_PROXIES, ALLOWED_NETWORKS, PROXY_PROTOCOL } = variables
  if (PROXY_PROTOCOL && TRUSTED_PROXIES.length === 0) {
    const remedy = 'Set TRUSTED_PROXIES to the addresses of the proxies that speak it.'
    faults.add('PROXY_PROTOCOL', 'is on and TRUSTED_PROXIES is empty', remedy)
  }
  const allowed = readNetworks('ALLOWED_NETWORKS', ALLOWED_NETWORKS, faults)
  return {
    trustedProxies: readNetworks('TRUSTED_PROXIES', TRUSTED_PROXIES, faults),
    addressHeader: variables.CLIENT_ADDRESS_HEADER,
    proxyProtocol: PROXY_PROTOCOL,
    allowedNetworks: ALLOWED_NETWORKS.length === 0 ? undefined : allowed,
  }
}

function readNetworks(name: string, entries: readonly string[], faults: FaultList): readonly Network[] {
  return entries.flatMap((entry, index) => {
    const networks = parseNetworks(entry)
    if (networks !== undefined) return networks
    const remedy = 'Write addresses and networks as 10.0.0.5, 10.0.0.0/8 or fd00::/8, or loopback.'
    faults.add(name, `has an entry (number ${index + 1}) that is no address and no network`, remedy)
    return []
  })
}

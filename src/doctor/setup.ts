import type { Config } from '../config.ts'

/** What the checks look at, and by what. */
export type Setup = {
  readonly config: Config
  readonly env: Readonly<Record<string, string | undefined>>
  /** For providers and for PUBLIC_URL. */
  readonly fetch: typeof fetch
  /** Milliseconds since the epoch, of this machine's clock. */
  readonly nowMs: () => number
  /** Addresses of this machine that others can reach. */
  readonly ownAddresses: readonly string[]
  /** Numeric, of the user it runs as; undefined where there is no such thing. */
  readonly uid: number | undefined
}

/** The same, looked at from one of the further tracking servers and its address. */
export type Place = { readonly id: string | undefined; readonly setup: Setup }

/** Every tracking server with its address, the one at `UPSTREAM_URL` first: what is asked of it is asked of each. */
export function placesOf(setup: Setup): readonly Place[] {
  const { config } = setup
  const further = config.upstreams.map(({ id, ...there }) => ({
    id,
    setup: { ...setup, config: { ...config, ...there } },
  }))
  return [{ id: undefined, setup }, ...further]
}

/** Addresses told of in an hour: whoever can send a request can send the header too, from as many as they have. */
const MOST = 10

/** Seconds. */
const HOUR = 3600

/**
 * Tells of addresses that say for whom they ask and are not believed, each once an hour, and of {@link MOST} in all: the
 * usual reason is a proxy that nobody listed, behind which everybody shares one address.
 *
 * @param now Seconds since the epoch.
 */
export function createUnheardProxies(
  now: () => number,
  tell: (address: string) => void,
): (address: string) => void {
  const told = new Set<string>()
  let until = Number.NEGATIVE_INFINITY
  return (address) => {
    if (now() >= until) {
      told.clear()
      until = now() + HOUR
    }
    if (told.size >= MOST || told.has(address)) return
    told.add(address)
    tell(address)
  }
}

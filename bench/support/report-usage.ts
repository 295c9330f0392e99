/**
 * Loaded with `--import` into the server that is measured: answers every message from the parent with the process's own
 * account of its CPU time, all threads included, and its resident memory. Does not keep the process alive.
 */
export type Usage = {
  /** CPU time in µs since the process started, user and system. */
  readonly cpuUs: number
  readonly residentBytes: number
}

process.on('message', () => {
  const { user, system } = process.cpuUsage()
  const usage: Usage = { cpuUs: user + system, residentBytes: process.memoryUsage.rss() }
  process.send?.(usage)
})
process.channel?.unref()

import fp from 'fastify-plugin'

export type HousekeepingOptions = {
  /** By what they tidy up, for the log. */
  readonly tasks: Readonly<Record<string, () => Promise<unknown>>>
  readonly everyMs?: number | undefined
}

const HOUR_MS = 3_600_000

/** Deletes what has run out from the store, once an hour and off every request's path. A failure waits for the next hour. */
export const housekeeping = fp<HousekeepingOptions>(
  async (app, { tasks, everyMs = HOUR_MS }) => {
    const tidyUp = async () => {
      for (const [name, task] of Object.entries(tasks)) {
        await task().catch((fault: unknown) => app.log.warn({ err: fault, task: name }, 'could not tidy up'))
      }
    }
    const timer = setInterval(tidyUp, everyMs).unref()
    app.addHook('onClose', async () => clearInterval(timer))
  },
  { name: 'housekeeping', fastify: '5.x' },
)

import fp from 'fastify-plugin'
import type { UpstreamVersion } from '../src/mlflow/upstream-version.ts'
import { knownNear } from '../src/mlflow/version.ts'

export type UpstreamVersionOptions = {
  readonly version: UpstreamVersion
  /** Milliseconds that the start waits for the tracking server to say its version. */
  readonly waitMs?: number
}

/** Reads the version of the tracking server before the app listens, if it says so in time, and logs it whenever it is another one. */
export const upstreamVersion = fp<UpstreamVersionOptions>(
  async (app, { version, waitMs = 2000 }) => {
    version.follow((_like, text) => {
      if (text === undefined) return
      const near = knownNear(text)
      if (near?.isKnown) return app.log.info({ version: text }, 'the version of the tracking server')
      app.log.warn(
        { version: text, judgedAs: near?.neighbours },
        'this version of the tracking server is not one the catalogue was compared with: what has no row is refused; see catalogue:check',
      )
    })
    app.addHook('onReady', async () => {
      const { promise: late, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, waitMs)
      await Promise.race([version.read(), late])
      clearTimeout(timer)
    })
    app.addHook('onClose', async () => version.stop())
  },
  { name: 'upstream-version', fastify: '5.x' },
)

import fp from 'fastify-plugin'
import type { Drain } from '../src/network/drain.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Has readiness say no, and every answer ask its client for a new connection; all else goes on. For good. */
    readonly drain: () => void
    readonly isDraining: () => boolean
  }
}

export type DrainOptions = { readonly drain: Drain }

/** Decorates `app.drain()` and `app.isDraining()`. Register it before `health`. */
export const drain = fp<DrainOptions>(
  async (app, { drain }) => {
    app.decorate('drain', drain.begin)
    app.decorate('isDraining', drain.hasBegun)
  },
  { name: 'drain', fastify: '5.x' },
)

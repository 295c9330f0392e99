import { randomUUID } from 'node:crypto'
import fp from 'fastify-plugin'
import { createMark, MARK_HEADER, MARK_PATH, type MarkAnswer } from '../src/doctor/mark.ts'
import type { ClientAddresses } from '../src/network/client-address.ts'
import { eventOf } from './audit.ts'

export type DoctorOptions = {
  /** `GATEWAY_SECRET`. */
  readonly secret: string
  readonly addresses: Pick<ClientAddresses, 'of' | 'peerOf'>
  /** Seconds since the epoch. */
  readonly now: () => number
}

/**
 * `GET /auth/doctor`: tells the command `doctor`, which asks at PUBLIC_URL and has the same secret, how its request
 * arrived. For everybody else there is no such address.
 */
export const doctor = fp<DoctorOptions>(
  async (app, { secret, addresses, now }) => {
    const mark = createMark(secret)
    const instance = randomUUID()
    app.get(MARK_PATH, async (request, reply) => {
      const header = request.headers[MARK_HEADER]
      const nonce = mark.read(typeof header === 'string' ? header : undefined, now())
      if (nonce === undefined) {
        const outcome = { effect: 'deny', status: 404, reason: 'no_such_route' } as const
        app.audit.record(eventOf(request, reply, { event: 'decision', ...outcome }))
        return reply.callNotFound()
      }
      const { address: client, isCertain } = addresses.of(request.raw)
      const seen = addresses.peerOf(request.raw)
      const answer: MarkAnswer = { instance, at: now(), client, isCertain, ...seen }
      const body = JSON.stringify(answer)
      reply.header('cache-control', 'no-store').header(MARK_HEADER, mark.sign(nonce, body))
      return reply.type('application/json').send(body)
    })
  },
  { name: 'doctor', dependencies: ['audit', 'errors'], fastify: '5.x' },
)

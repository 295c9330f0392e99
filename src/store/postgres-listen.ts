import pg from 'pg'
import type { ChangeSignal } from './change-signal.ts'
import { CHANGES_CHANNEL } from './migrations/list.ts'

/** Pauses between two tries to connect, ms: doubled each time, up to the longest. */
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5000

/** How long the server may take to say that it will tell, ms: it might have gone silent since it let us in. */
const LISTEN_TIMEOUT_MS = 5000

/**
 * Listens on a connection of its own until `stop`, and connects again whenever that is lost.
 *
 * @param onSignal Called after each announcement, and whenever some may have been missed: the connection was made, or lost.
 */
export function listenForChanges(config: pg.ClientConfig, onSignal: () => void): ChangeSignal {
  let current: pg.Client | undefined
  let live = false
  let stopped = false
  let pauseMs = FIRST_PAUSE_MS
  let timer: NodeJS.Timeout | undefined

  const connect = async () => {
    const client = new pg.Client({ ...config, query_timeout: LISTEN_TIMEOUT_MS })
    current = client
    client.on('error', () => undefined)
    client.on('notification', onSignal)
    client.once('end', () => lost(client))
    try {
      await client.connect()
      await client.query(`listen ${CHANGES_CHANNEL}`)
      if (stopped) return void client.end().catch(() => undefined)
      if (current !== client) return
      live = true
      pauseMs = FIRST_PAUSE_MS
      onSignal()
    } catch {
      // 'end' is not sent where there was no connection.
      lost(client)
    }
  }

  const lost = (client: pg.Client) => {
    if (current !== client) return
    current = undefined
    void client.end().catch(() => undefined)
    if (stopped) return
    if (live) onSignal()
    live = false
    // Replicas that lost the same server must not all come back in the same instant.
    timer = setTimeout(connect, pauseMs * (0.5 + Math.random() / 2)).unref()
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
  }

  void connect()
  return {
    isLive: () => live,
    stop: () => {
      stopped = true
      live = false
      clearTimeout(timer)
      void current?.end().catch(() => undefined)
    },
  }
}

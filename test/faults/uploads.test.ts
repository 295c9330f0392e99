/**
 * The attack: a thousand uploads at once. Those who may have so many under way get theirs through, one after the other as
 * the tracking server has connections; of the others nothing is read but the head. What has not been passed on yet waits at
 * the client, not in memory.
 */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type BesiegedGateway, startBesiegedGateway } from '../support/besieged-gateway.ts'
import { RUN_A } from '../support/mlflow-stand-in.ts'
import { floodWithUploads } from '../support/upload-flood.ts'

const UPLOADS = 1000
const MIB = 2 ** 20
/** Bytes of each. */
const SIZE = 10 * MIB
/** `CONCURRENCY_LIMIT_PRINCIPAL`, as it is by default. */
const PER_PERSON = 100

let besieged: BesiegedGateway
beforeAll(async () => {
  besieged = await startBesiegedGateway()
  await besieged.during(() => new Promise((resolve) => setTimeout(resolve, 1000)))
})
afterAll(() => besieged?.stop())

it(`${UPLOADS} uploads of 10 MB at once, by two who may have ${PER_PERSON} each`, async () => {
  const { admin, editor } = besieged.members
  const before = besieged.openFiles()
  const started = performance.now()
  let ends: Awaited<ReturnType<typeof floodWithUploads>> = []
  const { grownMiB, waits, statuses } = await besieged.during(async () => {
    ends = await floodWithUploads({
      port: besieged.port,
      size: SIZE,
      uploads: Array.from({ length: UPLOADS }, (_, index) => ({
        path: `/api/2.0/mlflow-artifacts/artifacts/1/${RUN_A}/artifacts/file-${index}`,
        token: (index % 2 === 0 ? admin : editor).token,
      })),
    })
  })
  const [middle = 0, last = 0] = [waits[Math.floor(waits.length / 2)], waits.at(-1)]
  const of = (status: number) => ends.filter((end) => end.status === status)
  process.stdout.write(
    `${of(200).length} uploads taken, ${of(429).length} refused, in ${Math.round(performance.now() - started)} ms; ` +
      `${grownMiB.toFixed(0)} MiB; others waited ${middle.toFixed(0)} ms, at most ${last.toFixed(0)} ms\n`,
  )
  // A refusal waits a quarter of a second for its reader, which a client as busy as this one may miss.
  expect(of(200).length + of(429).length).toBeGreaterThan(UPLOADS * 0.97)
  // Whoever comes when one of theirs is through has its place.
  expect(of(200).length).toBeGreaterThanOrEqual(2 * PER_PERSON)
  expect(of(429).length).toBeGreaterThan(UPLOADS / 4)
  expect(besieged.taken).toEqual({ uploads: of(200).length, bytes: of(200).length * SIZE })
  expect(of(200).every(({ sent }) => sent === SIZE)).toBe(true)
  expect(grownMiB).toBeLessThan(300)
  expect(new Set(statuses)).toEqual(new Set([200]))
  // Everybody shares two cores here, the tracking server with those who wait.
  expect(middle).toBeLessThan(3000)
  expect(waits[Math.floor(waits.length * 0.9)]).toBeLessThan(10_000)
  await expect.poll(besieged.openFiles, { timeout: 20_000 }).toBeLessThan(before + 50)
})

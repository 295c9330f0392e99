/**
 * Fills an SQLite store that is not there yet with a large company: people, groups, roles, grants, requests and a record.
 * The same seed makes the same store.
 *
 *   node bench/populate.ts --database /tmp/large.db
 *   node bench/populate.ts --database /tmp/small.db --people 2000 --grants 20000 --roles 200 --events 5000 --seed 7
 */
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { openDatabase, openForRecords } from '../src/store/database.ts'
import { FULL, populate, type Sizes } from './support/population.ts'

const { values } = parseArgs({
  options: {
    database: { type: 'string' },
    seed: { type: 'string', default: '1' },
    ...Object.fromEntries(Object.keys(FULL).map((name) => [name, { type: 'string' as const }])),
  },
})

/** @throws {Error} For what is not a whole number. */
function whole(name: string, fallback: number): number {
  const given = (values as Readonly<Record<string, string | undefined>>)[name]
  const number = given === undefined ? fallback : Number(given)
  if (!Number.isSafeInteger(number) || number < 1)
    throw new Error(`--${name} takes a whole number above zero`)
  return number
}

if (values.database === undefined) throw new Error('Say which file to fill: --database PATH')
const sizes = Object.fromEntries(
  Object.entries(FULL).map(([name, size]) => [name, whole(name, size)]),
) as Sizes
if (existsSync(values.database)) throw new Error(`${values.database} is there already: name another file`)
const databaseUrl = `sqlite:${values.database}`
await (await openDatabase({ databaseUrl })).destroy()
// Who loses the file to a power cut makes it again.
const db = await openForRecords({ databaseUrl })
try {
  const started = performance.now()
  const onStep = (what: string) =>
    console.log(`${((performance.now() - started) / 1000).toFixed(1).padStart(7)} s  ${what}`)
  await populate(db, {
    ...{ sizes, onStep, at: Math.floor(Date.now() / 1000) },
    seed: whole('seed', 1),
  })
} finally {
  await db.destroy()
}

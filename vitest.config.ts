import { defineConfig } from 'vitest/config'

/** What the store decides about, and so has to hold on either database. */
const ON_THE_STORE = [
  'test/{store,postgres}/**/*.test.ts',
  'test/plugins/{api,api-workspaces,audit,mlflow-auth-api,policy-file,session,token}.test.ts',
  'test/policy/{directory,policy-export}.test.ts',
  'test/cli/{commands,incident-page,simulate,store}.test.ts',
  'test/identity/keyring.test.ts',
  'test/mlflow/effects.test.ts',
  'test/regressions/{incident,outlived-right,store-trouble-as-refusal,unbounded-growth}.test.ts',
]

/** A SQLite file damaged in SQLite's own words, its query plans, the file itself. */
const ON_SQLITE = ['test/audit/verify.test.ts', 'test/store/{scale,sqlite}.test.ts']

/** With TEST_DATABASE=postgres all of `unit` runs on PostgreSQL; gateways in processes of their own are on SQLite there too. */
const everywhere = process.env['TEST_DATABASE'] === 'postgres'

const postgresSetup = ['test/support/postgres-setup.ts']

/**
 * Three suites: `unit` (also plugins and regressions: real parts, loopback servers, seconds), `postgres` (of those, what
 * touches the store, on a real PostgreSQL) and `e2e` (a real MLflow, a real OpenID Provider, a real browser, what happens under
 * faults and attacks; one file at a time, after the others).
 */
export default defineConfig({
  test: {
    coverage: { provider: 'v8', include: ['src/**', 'plugins/**'], reporter: ['text-summary', 'lcov'] },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/{e2e,faults}/**', ...(everywhere ? ON_SQLITE : ['test/postgres/**'])],
          testTimeout: 20_000,
          hookTimeout: 30_000,
          ...(everywhere && { globalSetup: postgresSetup }),
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'postgres',
          include: ON_THE_STORE,
          exclude: ON_SQLITE,
          testTimeout: 30_000,
          hookTimeout: 60_000,
          env: { TEST_DATABASE: 'postgres' },
          globalSetup: postgresSetup,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/{e2e,faults}/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})

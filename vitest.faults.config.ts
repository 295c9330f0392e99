import { defineConfig } from 'vitest/config'

/**
 * Faults, attacks and change under load, all of it: `npm run test:faults`. FAULTS_MINUTES says how long each part goes on
 * that can; unset, they are as short as in `make test`, whose `e2e` project runs them too.
 */
const minutes = Number(process.env['FAULTS_MINUTES'] ?? 0)

export default defineConfig({
  test: {
    name: 'faults',
    include: ['test/faults/**/*.test.ts'],
    testTimeout: (minutes * 2 + 10) * 60_000,
    hookTimeout: 400_000,
    fileParallelism: false,
    // What was measured is said where it was measured.
    disableConsoleIntercept: true,
  },
})

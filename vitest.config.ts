import { defineConfig } from 'vitest/config'

/**
 * Two suites: `unit` (also plugins and regressions: real parts, loopback servers, seconds) and `e2e` (a real MLflow, a
 * real OpenID Provider, a real browser; one file at a time, after the others).
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
          exclude: ['test/e2e/**'],
          testTimeout: 20_000,
          hookTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})

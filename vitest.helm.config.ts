import { defineConfig } from 'vitest/config'

/** The Helm chart, by Helm itself: `npm run test:helm`. Apart from the others, since Helm is built from source for it. */
export default defineConfig({
  test: { name: 'helm', include: ['test/helm/*.helm.ts'], testTimeout: 60_000, hookTimeout: 600_000 },
})

import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'rolldown'

/** Packages that look for files of their own: a native library, a worker's script. */
const KEPT_APART = ['better-sqlite3', 'pino']

/**
 * What runs in production: the program and its packages in a few files, not minified. Read one by one, the two thousand
 * files of the packages are most of the time and memory that a start takes.
 */
export default defineConfig({
  input: {
    ...{ server: 'src/server.ts', cli: 'src/cli.ts' },
    'checkpoint-thread': 'src/store/checkpoint-thread.ts',
  },
  platform: 'node',
  external: KEPT_APART,
  output: {
    dir: 'dist/src',
    cleanDir: true,
    sourcemap: true,
    // One character beyond ASCII doubles the memory that a file's text takes, so packages are apart from our pages' texts.
    charset: 'ascii',
    comments: false,
    codeSplitting: { groups: [{ name: 'packages', test: /node_modules/, entriesAware: true }] },
  },
  plugins: [
    {
      name: 'the script beside the command that runs it',
      writeBundle: ({ dir = '' }) => copyFileSync('src/cli/mlflow-routes.py', join(dir, 'mlflow-routes.py')),
    },
  ],
})

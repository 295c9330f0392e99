/**
 * Loaded with `--import` into a gateway: answers every message from the parent with what has been loaded and what is kept in
 * memory. Needs `--expose-gc`. Does not keep the process alive. Not in TypeScript, whose reader would be counted along.
 */
import { registerHooks } from 'node:module'

const modules = new Set()

registerHooks({
  load: (url, context, nextLoad) => {
    modules.add(url)
    return nextLoad(url, context)
  },
})

process.on('message', () => {
  globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  process.send({
    modules: [...modules].filter((url) => url.startsWith('file:')),
    keptBytes: heapUsed + external,
  })
})
process.channel.unref()

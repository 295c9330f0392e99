/** pino-roll 4 ships no types; this is what its documentation promises of what we use. */
declare module 'pino-roll' {
  import type { pino } from 'pino'

  type Options = {
    readonly file: string
    /** `100m`: megabytes. Checked after each write, so a file may exceed it by one write. */
    readonly size: string
    /** With `removeOtherLogFiles` the count includes the file being written, and files of earlier processes. */
    readonly limit: { readonly count: number; readonly removeOtherLogFiles: boolean }
    readonly mkdir: boolean
    readonly mode: number
    readonly sync: boolean
    readonly maxLength: number
  }

  function roll(options: Options): Promise<ReturnType<typeof pino.destination>>
  export = roll
}

/** What was found. `skipped`: it cannot be seen from here, or there is nothing of the kind. */
export type Finding =
  | { readonly level: 'ok' | 'skipped'; readonly what: string }
  | {
      readonly level: 'warning' | 'fault'
      /** What happened. Holds no secret. */
      readonly what: string
      /** Why that matters, or where it comes from. */
      readonly why: string
      /** What to do. */
      readonly advice: string
    }

/** One thing to look at. It changes nothing. */
export type Check = {
  /** e.g. `store: schema`; no two have the same. */
  readonly name: string
  /** @param signal Aborted when the time for it is over; what is waited for should end then. */
  readonly run: (signal: AbortSignal) => Promise<Finding>
}

/** A finding with the name of its check. */
export type Result = Finding & { readonly name: string }

type Trouble = { readonly what: string; readonly why: string; readonly advice: string }

export const ok = (what: string): Finding => ({ level: 'ok', what })
export const skipped = (what: string): Finding => ({ level: 'skipped', what })
export const warning = (trouble: Trouble): Finding => ({ level: 'warning', ...trouble })
export const fault = (trouble: Trouble): Finding => ({ level: 'fault', ...trouble })

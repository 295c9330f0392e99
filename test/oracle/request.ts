import type { Things } from './seed.ts'

/** What a request says, apart from its path template and who sends it. */
export type Parts = {
  /** Values in the path; what an operation of MLflow's names `<path:x>` or `{x:path}` may hold slashes. */
  readonly params?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string | readonly string[]>>
  readonly json?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export type Context = {
  /** What the request is about. */
  readonly it: Things
  /** Things of the other side, for requests that name something of both. */
  readonly others: Things
  /** Differs from request to request: for names of what is made. */
  readonly fresh: string
  /** Who sends it. */
  readonly username: string
}

/** A well-formed request to one operation: MLflow would carry it out for an administrator. */
export type Template = (context: Context) => Parts

/** Templates by operation, or `Operation/variant` where one request does not show all there is to judge. */
export type Templates = Readonly<Record<string, Template>>

/** The request target of a path template of MLflow's route list. */
export function targetOf(path: string, { params = {}, query = {} }: Parts): string {
  const filled = path.replaceAll(
    /<(?:path:)?(\w+)>|\{(\w+)(?::path)?\}/g,
    (_, flask: string, fast: string) => {
      const name = flask ?? fast
      const value = params[name]
      if (value === undefined) throw new Error(`${path} needs a value for ${name}`)
      return value.split('/').map(encodeURIComponent).join('/')
    },
  )
  const search = new URLSearchParams()
  for (const [name, values] of Object.entries(query)) {
    for (const value of [values].flat()) search.append(name, value)
  }
  return search.size === 0 ? filled : `${filled}?${search}`
}

import { Type } from 'typebox'

/** Headings of the documentation, in its order. */
export const SECTIONS = [
  'Serving',
  'HTTPS',
  'Proxies and networks',
  'Tracking server',
  'Further tracking servers',
  'Store and secrets',
  'Sign-in with an OpenID Provider',
  'Sign-in with Google',
  'People and permissions',
  'Sessions and tokens',
  'Limits',
  'Audit, logs and metrics',
  'Traces',
] as const

/** What a variable's schema carries besides JSON Schema's own keywords. */
export type Note = {
  readonly section: (typeof SECTIONS)[number]
  readonly description: string
  /** A valid value; the stand-in for a required variable while the other faults are looked for. */
  readonly example?: string
  /** What a text must be, to follow "Set it to". */
  readonly expect?: string
  /** May also be given as NAME_FILE, the path of a file that holds the value. */
  readonly secret?: true
  /** The example must be replaced: the gateway refuses to start with it. */
  readonly placeholder?: true
  /** What to warn about at start when the switch is on. */
  readonly danger?: string
}

type TextOptions = { readonly pattern?: string; readonly default?: string }

export const text = (note: Note & TextOptions) => Type.String({ minLength: 1, ...note })
export const optionalText = (note: Note & TextOptions) => Type.Optional(text(note))
export const flag = (note: Note & { readonly default: boolean }) => Type.Boolean(note)
export const integer = (note: Note & { minimum: number; maximum: number; default: number }) =>
  Type.Integer(note)
export const list = (note: Note) => Type.Array(Type.String({ minLength: 1 }), { default: [], ...note })
export const oneOf = <T extends string[]>(
  values: readonly [...T],
  note: Note & { readonly default: T[number] },
) => Type.Enum(values, note)

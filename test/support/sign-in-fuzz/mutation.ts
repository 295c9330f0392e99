import fc from 'fast-check'

/** One small thing that goes wrong with a text. Positions are fractions, so that they fit a text of any length. */
export type Mutation =
  | { readonly kind: 'truncate' | 'flip' | 'case' | 'percent' | 'double_percent'; readonly at: number }
  | { readonly kind: 'insert'; readonly at: number; readonly text: string }
  | { readonly kind: 'repeat'; readonly times: number }
  | { readonly kind: 'segment'; readonly index: number; readonly text: string }
  | { readonly kind: 'quoted' | 'reversed' | 'padded' | 'base64' | 'base64url' | 'without_dots' | 'empty' }

/** What software along the way may turn into something else, and what parsers stumble over. */
const ODD = [
  ' ',
  '\t',
  ';',
  ',',
  '=',
  '"',
  "'",
  '\\',
  '%00',
  '%0d%0a',
  '\x00',
  '\x7f',
  '\xff',
  '\xa0',
  '.',
  '..',
  '/',
].concat([
  ...[
    '//',
    '@',
    ':',
    '#',
    '?',
    '&',
    '+',
    '*',
    '{',
    '[',
    '<',
    '$(x)',
    '__proto__',
    'null',
    'é',
    '-',
    '_',
    '~',
  ],
])

const at = fc.double({ min: 0, max: 1, noNaN: true })
const odd = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...ODD) },
  { weight: 1, arbitrary: fc.string({ maxLength: 8 }) },
)

export const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constantFrom('truncate', 'flip', 'case', 'percent', 'double_percent'), at }),
  fc.record({ kind: fc.constant('insert' as const), at, text: odd }),
  fc.record({ kind: fc.constant('repeat' as const), times: fc.constantFrom(2, 3, 12) }),
  fc.record({ kind: fc.constant('segment' as const), index: fc.nat(4), text: odd }),
  fc.record({
    kind: fc.constantFrom('quoted', 'reversed', 'padded', 'base64', 'base64url', 'without_dots', 'empty'),
  }),
)

/** Mostly none: what is nearly right reaches further than what is all wrong. */
export const mutations: fc.Arbitrary<readonly Mutation[]> = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  { weight: 4, arbitrary: fc.array(mutation, { minLength: 1, maxLength: 1 }) },
  { weight: 1, arbitrary: fc.array(mutation, { minLength: 2, maxLength: 3 }) },
)

export function mutate(text: string, changes: readonly Mutation[]): string {
  return changes.reduce(change, text)
}

function change(text: string, mutation: Mutation): string {
  switch (mutation.kind) {
    case 'truncate':
      return text.slice(0, place(text, mutation.at))
    case 'flip':
    case 'case':
    case 'percent':
    case 'double_percent':
      return replaceOne(text, place(text, mutation.at), mutation.kind)
    case 'insert':
      return `${text.slice(0, place(text, mutation.at))}${mutation.text}${text.slice(place(text, mutation.at))}`
    case 'repeat':
      return text.repeat(mutation.times)
    case 'segment':
      return text
        .split('.')
        .map((segment, index) => (index === mutation.index ? mutation.text : segment))
        .join('.')
    case 'quoted':
      return `"${text}"`
    case 'reversed':
      return [...text].reverse().join('')
    case 'padded':
      return `${text}==`
    case 'base64':
    case 'base64url':
      return Buffer.from(text, 'latin1').toString(mutation.kind)
    case 'without_dots':
      return text.replaceAll('.', '')
    case 'empty':
      return ''
  }
}

function place(text: string, fraction: number): number {
  return Math.min(text.length - 1, Math.floor(fraction * text.length))
}

function replaceOne(
  text: string,
  index: number,
  kind: 'flip' | 'case' | 'percent' | 'double_percent',
): string {
  const character = text[index]
  if (character === undefined) return text
  const hex = character.charCodeAt(0).toString(16).padStart(2, '0')
  const upper = character.toUpperCase()
  const other = {
    flip: character === 'A' ? 'B' : 'A',
    case: character === upper ? character.toLowerCase() : upper,
    percent: `%${hex}`,
    double_percent: `%25${hex}`,
  }
  return text.slice(0, index) + other[kind] + text.slice(index + 1)
}

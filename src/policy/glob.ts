/**
 * Compiles a name pattern in which `*` stands for any run of characters (`/` included) and everything else for
 * itself. Each literal piece is searched once, left to right, so matching never backtracks over a piece.
 */
export function compileGlob(pattern: string): (name: string) => boolean {
  const pieces = pattern.split('*')
  const head = pieces[0] ?? ''
  if (pieces.length === 1) return (name) => name === head
  const tail = pieces[pieces.length - 1] ?? ''
  const middle = pieces.slice(1, -1).filter((piece) => piece !== '')
  return (name) => {
    if (name.length < head.length + tail.length || !name.startsWith(head) || !name.endsWith(tail))
      return false
    const end = name.length - tail.length
    let from = head.length
    for (const piece of middle) {
      const at = name.indexOf(piece, from)
      if (at === -1 || at + piece.length > end) return false
      from = at + piece.length
    }
    return true
  }
}

/**
 * True if everything that `narrow` matches is matched by `wide`. Read as a name, `narrow` has its own `*` where any text may
 * be, and nothing but a `*` of `wide` takes those in; so a yes is a proof.
 */
export function isWithin(narrow: string, wide: string): boolean {
  return compileGlob(wide)(narrow)
}

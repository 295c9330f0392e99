const UNRESERVED = /[A-Za-z0-9_.~-]/

/**
 * Python's `urllib.parse.quote(text, safe='')`: UTF-8, percent-encoded in upper case but for letters, digits and
 * `_.-~`. Grants on scorers are on `<experiment id>/<name in this encoding>` (`_scorer_pattern`, mlflow/server/auth, 3.17.2),
 * so what `encodeURIComponent` leaves as it is (`!'()*`) must not be left so here.
 *
 * @param text Well formed: Python refuses a lone surrogate, and so does the reading of a request.
 */
export function pythonQuote(text: string): string {
  let quoted = ''
  for (const byte of Buffer.from(text, 'utf8')) {
    const char = String.fromCharCode(byte)
    quoted += UNRESERVED.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return quoted
}

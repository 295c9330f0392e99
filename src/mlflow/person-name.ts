/** What Python's `str.strip()` takes away at both ends; JavaScript's `trim()` takes U+FEFF too, and leaves U+001C to U+001F and U+0085. */
const BLANK = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]'
const AT_THE_ENDS = new RegExp(`^${BLANK}+|${BLANK}+$`, 'gu')

/** A person's name as MLflow compares it in review queues (`normalize_user`, mlflow/genai/review_queues, 3.17.2). */
export function comparableName(name: string): string {
  return name.replace(AT_THE_ENDS, '').toLowerCase()
}

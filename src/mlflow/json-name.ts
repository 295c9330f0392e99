/**
 * The protobuf JSON name of a field: `run_id` → `runId`. MLflow accepts both spellings (json_format.ParseDict), so
 * two keys of one object with the same JSON name could be read two ways. A key without an underscore is its own.
 */
export function jsonName(key: string): string {
  return key.includes('_') ? key.replace(UNDERSCORED, (_, letter: string) => letter.toUpperCase()) : key
}

const UNDERSCORED = /_+(.?)/gu

import { ConfigError, type Fault, readConfig } from '../../src/config.ts'

/** Random once, kept so that a failing test can be repeated. */
export const SECRET = 'Vq3J9nQ2mX7pL0sRt8WzYb4NcH6fGdA1eUoIi5kK'

/** The least that starts: one OpenID Provider. */
export const MINIMAL: Readonly<Record<string, string>> = {
  PUBLIC_URL: 'https://mlflow.example.org',
  UPSTREAM_URL: 'http://mlflow:5000',
  GATEWAY_SECRET: SECRET,
  OIDC_ISSUER: 'https://sso.example.org/realms/main',
  OIDC_CLIENT_ID: 'mlflow',
  ADMIN_USERS: 'alice',
}

/** A file system that holds just these files. */
export function files(contents: Readonly<Record<string, string>> = {}): (path: string) => string {
  return (path) => {
    const content = contents[path]
    if (content === undefined) throw new Error('ENOENT')
    return content
  }
}

/** The faults of MINIMAL with these changes; `undefined` takes a variable away. */
export function faultsOf(
  changes: Readonly<Record<string, string | undefined>>,
  contents: Readonly<Record<string, string>> = {},
): readonly Fault[] {
  try {
    readConfig({ ...MINIMAL, ...changes }, files(contents))
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
  return []
}

/** As {@link faultsOf}, each as `NAME problem`. */
export function problemsOf(...args: Parameters<typeof faultsOf>): readonly string[] {
  return faultsOf(...args).map(({ name, problem }) => `${name} ${problem}`)
}

import { expect, it } from 'vitest'
import { mlflowPageHeaders } from '../../src/console/headers.ts'

const directives = (inline: boolean) =>
  (mlflowPageHeaders(inline)['content-security-policy'] ?? '').split('; ')

it("MLflow's page runs its own files only, and reaches nobody else", () => {
  expect(directives(false)).toEqual(
    expect.arrayContaining(["default-src 'self'", "script-src 'self' 'unsafe-eval'", "object-src 'none'"]),
  )
  expect(directives(false).join()).not.toMatch(/https?:|\*/)
  expect(directives(true)).toContain("script-src 'self' 'unsafe-eval' 'unsafe-inline'")
})

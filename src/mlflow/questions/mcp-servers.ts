import { invalidAnswer } from '../lookup-answer.ts'
import { question } from '../question.ts'

/** Seconds. A server never changes its name, but can be deleted behind the gateway's back. */
const SERVER_TTL = 60

export const MCP_SERVER_QUESTIONS = {
  /** An MCP server under its own name; a database may find it under another spelling too (3.17.2, `mcp-servers/<name>`). */
  mcp_server: question(SERVER_TTL, async (ask, name) => {
    // The slash is part of the path: the name is two segments of it.
    const path = name.split('/').map(encodeURIComponent).join('/')
    const answer = await ask(`3.0/mlflow/mcp-servers/${path}`)
    if (answer === undefined) return undefined
    const own = answer['name']
    if (typeof own !== 'string' || own.toLowerCase() !== name.toLowerCase())
      throw invalidAnswer('an MCP server without its name')
    return { name: own }
  }),
} as const

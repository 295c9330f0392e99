import type { Question } from './question.ts'
import { AI_GATEWAY_QUESTIONS } from './questions/ai-gateway.ts'
import { DATASET_QUESTIONS } from './questions/datasets.ts'
import { JOB_QUESTIONS } from './questions/jobs.ts'
import { MCP_SERVER_QUESTIONS } from './questions/mcp-servers.ts'
import { REGISTRY_QUESTIONS } from './questions/registry.ts'
import { REVIEW_QUESTIONS } from './questions/reviews.ts'
import { SCORER_QUESTIONS } from './questions/scorers.ts'

/** Everything the gateway asks MLflow about, beside the owners that `lookup.ts` knows itself: one entry a kind. */
export const QUESTIONS = {
  ...AI_GATEWAY_QUESTIONS,
  ...DATASET_QUESTIONS,
  ...MCP_SERVER_QUESTIONS,
  ...SCORER_QUESTIONS,
  ...JOB_QUESTIONS,
  ...REGISTRY_QUESTIONS,
  ...REVIEW_QUESTIONS,
} as const

export type QuestionKind = keyof typeof QUESTIONS

/** What the answer to a kind of question is. */
export type AnswerTo<K extends QuestionKind> = (typeof QUESTIONS)[K] extends Question<infer V> ? V : never

/**
 * Names that MLflow has a scorer of its own for, which takes no arguments: where one of them is asked for, it loads none
 * that somebody registered (`_load_scorers` in mlflow/genai/optimize/job.py, 3.17.2; a test asks MLflow for its list).
 */
export const BUILT_IN_SCORERS: ReadonlySet<string> = new Set([
  'Completeness',
  'ConversationCompleteness',
  'ConversationalRoleAdherence',
  'ConversationalSafety',
  'ConversationalToolCallEfficiency',
  'Correctness',
  'Equivalence',
  'ExpectationsGuidelines',
  'Fluency',
  'KnowledgeRetention',
  'PIIDetection',
  'RelevanceToQuery',
  'RetrievalGroundedness',
  'RetrievalRelevance',
  'RetrievalSufficiency',
  'Safety',
  'Summarization',
  'ToolCallCorrectness',
  'ToolCallEfficiency',
  'UserFrustration',
])

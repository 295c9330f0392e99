import { type Withholding, withheld } from '../withhold.ts'

/*
 * What answers tell of sub-resources of another type than the one they are about: left out for those to whom a grant on
 * all of that type denies it (`_withhold_denied_*`, mlflow/server/auth, 3.17.2).
 */

/** Of a version of a model: the run and the logged model it came from. */
export const originsOfVersion = (at: string): readonly Withholding[] => [
  withheld(at, ['run_id', 'run_link'], { tier: 'run' }),
  withheld(at, ['model_id', 'model_params', 'model_metrics'], { tier: 'logged_model' }),
]

/** Of a registered model or prompt: its latest versions, and where they came from. */
export const versionsOfModel = (at: string): readonly Withholding[] => [
  withheld(at, ['latest_versions'], { row: 'versions_of' }),
  ...originsOfVersion(`${at}.latest_versions[]`),
]

/** Of a run: the logged models it read, made and measured. */
export const modelsOfRun = (at: string): readonly Withholding[] => [
  withheld(`${at}.inputs`, ['model_inputs'], { tier: 'logged_model' }),
  withheld(`${at}.outputs`, ['model_outputs'], { tier: 'logged_model' }),
  withheld(`${at}.data.metrics[]`, ['model_id'], { tier: 'logged_model' }),
]

/** Of a logged model: the run that made it, and those that measured it. */
export const runsOfModel = (at: string): readonly Withholding[] => [
  withheld(`${at}.info`, ['source_run_id'], { tier: 'run' }),
  withheld(`${at}.data.metrics[]`, ['run_id'], { tier: 'run' }),
]

const SOURCE_RUN = 'mlflow.sourceRun'
const MODEL_ID = 'mlflow.modelId'

/** Of a trace: its assessments, and the run and logged model it belongs to. */
export const partsOfTrace = (at: string): readonly Withholding[] => [
  withheld(at, ['assessments'], { tier: 'assessment' }),
  withheld(`${at}.trace_metadata`, [SOURCE_RUN], { tier: 'run' }),
  withheld(`${at}.trace_metadata`, [MODEL_ID], { tier: 'logged_model' }),
]

/** The same of a trace as the 2.0 API tells it, with its metadata as a list. */
export const originsOfTrace = (at: string): readonly Withholding[] => [
  withheld(`${at}.request_metadata[]`, 'whole', { tier: 'run' }, `key=${SOURCE_RUN}`),
  withheld(`${at}.request_metadata[]`, 'whole', { tier: 'logged_model' }, `key=${MODEL_ID}`),
]

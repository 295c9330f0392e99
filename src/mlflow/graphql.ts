import {
  type ArgumentNode,
  type DocumentNode,
  type FieldNode,
  Kind,
  type OperationDefinitionNode,
  parse,
  type SelectionSetNode,
  visit,
} from 'graphql/language'
import { GatewayError } from '../errors.ts'
import { literalValue } from './graphql-value.ts'
import { isObject } from './lookup.ts'

/** One root field of a query: what it does is what its REST twin does, with these arguments. */
export type RootField = {
  /** Catalogue row of the twin. */
  readonly twin: string
  readonly args: Readonly<Record<string, unknown>>
}

export type GraphqlQuery = {
  readonly fields: readonly RootField[]
  /** Where in the answer model versions are listed, as response keys from `data`; lists on the way are not named. */
  readonly versionPaths: readonly (readonly string[])[]
}

/** Root fields of MLflow's schema (mlflow/server/graphql, 3.17.2) and the operations that do the same over REST. */
const TWINS: Readonly<Record<string, string>> = {
  mlflowGetExperiment: 'experiments.get',
  mlflowGetRun: 'runs.get',
  mlflowListArtifacts: 'runs.list_artifacts',
  mlflowGetMetricHistoryBulkInterval: 'metrics.get_history_bulk_interval',
  mlflowSearchRuns: 'runs.search',
  mlflowSearchDatasets: 'datasets.search_of_runs',
}

/** Far above what the interface sends; a document is parsed before it is known to be harmless. */
const MAX_TOKENS = 3000
const MAX_DEPTH = 12

/**
 * Reads a GraphQL request: which root fields it asks for and with what arguments.
 *
 * @param body `{ query, variables?, operationName? }`
 * @throws {GatewayError} `ERR_AMBIGUOUS_REQUEST` for anything that MLflow might read differently: several operations,
 *   fragments, repeated names, fields that are not known here (introspection too), model versions without their name.
 */
export function readGraphql(body: Readonly<Record<string, unknown>>): GraphqlQuery {
  const document = parseDocument(body['query'])
  refuseRepeats(document)
  const operation = onlyOperation(document)
  const variables = variablesOf(operation, body['variables'])
  const roots = fieldsOf(operation.selectionSet).filter(({ name }) => name.value !== '__typename')
  if (roots.length === 0) throw refused('it asks for nothing')
  return {
    fields: roots.map((field) => rootField(field, variables)),
    versionPaths: roots.flatMap((field) => versionPaths(field, [])),
  }
}

function parseDocument(query: unknown): DocumentNode {
  if (typeof query !== 'string') throw refused("the field 'query' must be a string")
  try {
    return parse(query, { maxTokens: MAX_TOKENS, noLocation: true })
  } catch (cause) {
    throw new GatewayError('ERR_AMBIGUOUS_REQUEST', 'The GraphQL document cannot be parsed', { cause })
  }
}

function refused(why: string): GatewayError {
  return new GatewayError('ERR_AMBIGUOUS_REQUEST', `This GraphQL request is not served: ${why}`)
}

function onlyOperation({ definitions }: DocumentNode): OperationDefinitionNode {
  const [operation, second] = definitions
  if (operation?.kind !== Kind.OPERATION_DEFINITION || second !== undefined) {
    throw refused('exactly one operation, and no fragment, is expected')
  }
  return operation
}

/** Names that appear twice where the language wants them once: a later reader might take the other one. */
function refuseRepeats(document: DocumentNode): void {
  const once = (nodes: readonly { readonly name: { readonly value: string } }[] | undefined) => {
    const names = (nodes ?? []).map(({ name }) => name.value)
    if (new Set(names).size !== names.length) throw refused('a name is given more than once')
  }
  visit(document, {
    ObjectValue: ({ fields }) => once(fields),
    Field: ({ arguments: args }) => once(args),
    Directive: ({ arguments: args }) => once(args),
    OperationDefinition: ({ variableDefinitions }) =>
      once(variableDefinitions?.map(({ variable }) => variable)),
  })
}

/** Given values over defaults; a variable that is declared and has neither stays out. */
function variablesOf(operation: OperationDefinitionNode, given: unknown): Record<string, unknown> {
  if (given !== undefined && given !== null && !isObject(given))
    throw refused("the field 'variables' must be an object")
  // Without a prototype: `$__proto__` is a variable like any other, and must not lend its fields to the others.
  const values: Record<string, unknown> = Object.create(null)
  for (const { variable, defaultValue } of operation.variableDefinitions ?? []) {
    const name = variable.name.value
    if (isObject(given) && Object.hasOwn(given, name)) values[name] = given[name]
    else if (defaultValue !== undefined) values[name] = literalValue(defaultValue)
  }
  return values
}

/** The fields of a selection, whether a directive would leave them out or not. */
function fieldsOf({ selections }: SelectionSetNode): readonly FieldNode[] {
  return selections.map((selection) => {
    if (selection.kind !== Kind.FIELD) throw refused('fragments are not expected')
    return selection
  })
}

function rootField(field: FieldNode, variables: Record<string, unknown>): RootField {
  const name = field.name.value
  const twin = Object.hasOwn(TWINS, name) ? TWINS[name] : undefined
  if (twin === undefined) throw refused(`the field ${name.slice(0, 60)} is not open`)
  const args = argument(field.arguments ?? [], variables)
  if (!isObject(args)) throw refused(`${name} needs its argument 'input'`)
  return { twin, args }
}

function argument(args: readonly ArgumentNode[], variables: Record<string, unknown>): unknown {
  const [input, second] = args
  if (input?.name.value !== 'input' || second !== undefined) return undefined
  return literalValue(input.value, variables)
}

/** Where model versions are listed in the answer; each must show its name, or it could not be judged. */
function versionPaths(field: FieldNode, above: readonly string[]): (readonly string[])[] {
  if (field.selectionSet === undefined) return []
  if (above.length > MAX_DEPTH) throw refused('it is nested too deeply')
  const path = [...above, (field.alias ?? field.name).value]
  const children = fieldsOf(field.selectionSet)
  const below = children.flatMap((child) => versionPaths(child, path))
  if (field.name.value !== 'modelVersions') return below
  const named = children.some(
    ({ name, alias, directives }) => name.value === 'name' && !alias && !directives?.length,
  )
  const disguised = children.some(({ name, alias }) => alias?.value === 'name' && name.value !== 'name')
  if (!named || disguised) throw refused('modelVersions must select name, under that name')
  return [path, ...below]
}

/**
 * Leaves out of an answer the model versions that may not be read.
 *
 * @param isReadable Whether versions of the model of that name may be read.
 */
export async function filterVersions(
  answer: unknown,
  paths: GraphqlQuery['versionPaths'],
  isReadable: (name: string) => Promise<boolean>,
): Promise<void> {
  const data = isObject(answer) ? answer['data'] : undefined
  for (const path of paths) await filterAt(data, path, isReadable)
}

async function filterAt(
  value: unknown,
  path: readonly string[],
  isReadable: (name: string) => Promise<boolean>,
): Promise<void> {
  const [key, ...rest] = path
  if (key === undefined) return
  if (Array.isArray(value)) {
    for (const item of value) await filterAt(item, path, isReadable)
    return
  }
  if (!isObject(value) || !Object.hasOwn(value, key)) return
  const member = value[key]
  if (rest.length > 0) return filterAt(member, rest, isReadable)
  if (!Array.isArray(member)) {
    value[key] = null
    return
  }
  const kept: unknown[] = []
  for (const row of member) {
    const name = isObject(row) ? row['name'] : undefined
    if (typeof name === 'string' && (await isReadable(name))) kept.push(row)
  }
  value[key] = kept
}

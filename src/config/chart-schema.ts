import { GoogleSchema, ProviderSchema } from './provider-schema.ts'
import { GatewaySchema } from './schema.ts'
import { UpstreamSchema } from './upstream-schema.ts'
import { type Variable, variablesOf } from './variables.ts'

type Schema = Readonly<Record<string, unknown>>

/** Ids of further providers and tracking servers, the way they stand in the names of their variables. */
const ID = '[A-Z][A-Z0-9]{0,31}'

/** Which key of which Secret of Kubernetes has a value. */
const SECRET_KEY = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'key'],
  properties: { name: { type: 'string', minLength: 1 }, key: { type: 'string', minLength: 1 } },
}

/**
 * The schema of the Helm chart's values with its parts `config` and `secrets` made of the variables' own: a name that
 * the gateway does not know is refused before anything is installed, and so is a secret written as a plain value.
 *
 * @param current The schema as JSON; all else in it is kept.
 */
export function renderChartSchema(current: string): string {
  const schema = JSON.parse(current) as { readonly properties: Schema }
  const properties = { ...schema.properties, config: configSchema(), secrets: secretsSchema() }
  return `${JSON.stringify({ ...schema, properties }, undefined, 2)}\n`
}

function configSchema(): Schema {
  return part('Variables that are no secrets.', (variable) => {
    // A SQLite file is no secret; the URL of a database server is, since its password is in it.
    if (variable.secret === true)
      return variable.default === undefined ? undefined : { pattern: '^sqlite:', type: 'string' }
    return valueSchema(variable)
  })
}

function secretsSchema(): Schema {
  return part('Variables that are secrets.', ({ secret }) => (secret === true ? SECRET_KEY : undefined))
}

/** @param render Undefined for what does not belong there. */
function part(description: string, render: (variable: Variable) => Schema | undefined): Schema {
  const given = (name: string, variable: Variable) => {
    const schema = render(variable)
    return schema === undefined ? [] : [[name, { description: variable.description, ...schema }] as const]
  }
  const single = [
    ...variablesOf(GatewaySchema),
    ...variablesOf(ProviderSchema, 'OIDC_'),
    ...variablesOf(GoogleSchema, 'GOOGLE_'),
  ]
  const further = [
    ...variablesOf(ProviderSchema, `^OIDC_${ID}_`),
    ...variablesOf(UpstreamSchema, `^UPSTREAM_${ID}_`),
  ]
  return {
    ...{ description, type: 'object', additionalProperties: false },
    properties: Object.fromEntries(single.flatMap(({ name, variable }) => given(name, variable))),
    patternProperties: Object.fromEntries(
      further.flatMap(({ name, variable }) => given(`${name}$`, variable)),
    ),
  }
}

/** As YAML has values; patterns are left to the gateway, which explains what is wrong. */
function valueSchema({ type, enum: choices, minimum, maximum }: Variable): Schema {
  if (choices !== undefined) return { enum: choices }
  if (type === 'integer') return { type, minimum, maximum }
  if (type === 'array') return { type: ['array', 'string'], items: { type: 'string' } }
  return { type }
}

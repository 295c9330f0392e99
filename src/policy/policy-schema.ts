import { type Static, type TOptional, type TSchema, Type } from 'typebox'
import { GRANT_TYPES, type GrantType } from './grants.ts'
import { UPSTREAM_ID } from './workspace-name.ts'

/** What a fault in a policy file says the value should be; not part of the published schema. */
type Expectation = { readonly expect: string }

const ANY = 'the "*" in quotes'
const NAME_PATTERN = '{ name: "alpha/*" }'

const NamePattern = Type.Object(
  {
    name: Type.String({
      minLength: 1,
      description: 'A name in which each * stands for any run of characters, / included.',
    }),
  },
  { additionalProperties: false },
)

const everything = () => Type.Literal('*', { description: 'All of them.' })

const ExperimentSchema = Type.Union(
  [
    everything(),
    Type.Object(
      { id: Type.String({ pattern: '^[0-9]{1,32}$', description: 'The id of one experiment, in quotes.' }) },
      { additionalProperties: false },
    ),
    NamePattern,
  ],
  { expect: `{ id: "12" } (in quotes), ${NAME_PATTERN} or ${ANY}`, description: 'Which experiments.' },
)

const byName = (description: string) =>
  Type.Union([everything(), NamePattern], { expect: `${NAME_PATTERN} or ${ANY}`, description })

const byIdOrName = (id: string, description: string) =>
  Type.Union(
    [
      everything(),
      Type.Object(
        { id: Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,255}$', description: id }) },
        { additionalProperties: false },
      ),
      NamePattern,
    ],
    { expect: `{ id: "..." } (${id}), { name: "team-*" } or ${ANY}`, description },
  )

const byId = (id: string, description: string) =>
  Type.Union(
    [
      everything(),
      Type.Object(
        { id: Type.String({ minLength: 1, maxLength: 1000, description: id }) },
        { additionalProperties: false },
      ),
    ],
    { expect: `{ id: "..." } (${id}) or ${ANY}`, description },
  )

const all = (description: string) => Type.Literal('*', { expect: ANY, description })

const allInside = (what: string) =>
  all(
    `All ${what}: decides instead of what is granted on the resource they are in, for whoever can read that.`,
  )

const TARGET_SCHEMAS = {
  experiment: ExperimentSchema,
  registered_model: byName('Which registered models.'),
  prompt: byName('Which prompts.'),
  scorer: byId('the experiment id, a slash, and the name in URL encoding: "12/relevance"', 'Which scorers.'),
  gateway_secret: byIdOrName('a secret_id', 'Which secrets of the AI gateway.'),
  gateway_endpoint: byIdOrName('an endpoint_id', 'Which endpoints of the AI gateway.'),
  gateway_model_definition: byIdOrName('a model_definition_id', 'Which model definitions of the AI gateway.'),
  mcp_server: byName('Which MCP servers.'),
  run: allInside('runs'),
  trace: allInside('traces'),
  assessment: allInside('assessments'),
  logged_model: allInside('logged models'),
  review_queue: allInside('review queues'),
  registered_model_version: allInside('versions of registered models'),
  prompt_version: allInside('versions of prompts'),
  scorer_version: allInside('versions of scorers'),
  mcp_server_version: allInside('versions of MCP servers'),
  workspace: all(
    'The workspace of the role: USE makes a member, who may create in it; MANAGE its administrator.',
  ),
} as const satisfies Record<GrantType, TSchema>

/** The keys that say what a grant is on; each grant has one of them. */
export const TARGETS = GRANT_TYPES

const optional = <T extends Readonly<Record<string, TSchema>>>(schemas: T) =>
  Object.fromEntries(Object.entries(schemas).map(([key, schema]) => [key, Type.Optional(schema)])) as {
    [K in keyof T]: TOptional<T[K]>
  }

export const GrantSchema = Type.Object(
  {
    ...optional(TARGET_SCHEMAS),
    level: Type.Enum(['READ', 'USE', 'EDIT', 'MANAGE', 'DENY'], {
      expect: 'one of READ, USE, EDIT, MANAGE, DENY',
      description: "MLflow's levels, each holding those before it. DENY outweighs every other grant.",
    }),
    expires: Type.Optional(
      Type.String({
        pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2}))?$',
        expect: 'a day such as 2027-01-31 or a time with its zone such as 2027-01-31T18:00Z',
        description: 'When the grant ends: the end of that day in UTC, or that moment.',
      }),
    ),
  },
  {
    additionalProperties: false,
    oneOf: TARGETS.map((target) => ({ required: [target] })),
    expect: 'a grant such as { experiment: { name: "alpha/*" }, level: EDIT }',
  },
)

const RoleNameSchema = Type.String({
  pattern: '^[^~\\s](.*\\S)?$',
  maxLength: 255,
  expect: 'a name of up to 255 characters that does not begin with ~ or have spaces around it',
})

/** As MLflow takes them; before it the id of a further tracking server, or `*` for each. */
export const WORKSPACE_NAME = `^((\\*|${UPSTREAM_ID})/)?(?=[^/]{2,63}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?$`

const RoleSchema = Type.Object(
  {
    name: RoleNameSchema,
    workspace: Type.Optional(
      Type.String({
        pattern: WORKSPACE_NAME,
        expect:
          'the name of a workspace: 2 to 63 lower-case letters, digits and inner hyphens, perhaps with a tracking server before it as in staging/default',
        description:
          'The workspace that the grants count in; the default one if left out. Needs WORKSPACES, or UPSTREAMS for one of a further tracking server (staging/default) or of each (*/default).',
      }),
    ),
    description: Type.Optional(Type.String({ maxLength: 1000, expect: 'a text of up to 1000 characters' })),
    grants: Type.Array(GrantSchema, { expect: 'a list of grants, [] for none' }),
  },
  { additionalProperties: false, expect: 'a role with a name and a list of grants' },
)

const rolesByName = (whose: string) =>
  Type.Record(
    Type.String({ minLength: 1 }),
    Type.Array(RoleNameSchema, { expect: 'a list of role names, [] for none' }),
    { expect: `a map from ${whose} to lists of role names, {} for none` },
  )

const defaultLevel = (description: string) =>
  Type.Enum(['NO_PERMISSIONS', 'READ', 'USE', 'EDIT'], {
    expect: 'one of NO_PERMISSIONS, READ, USE, EDIT',
    description,
  })

/** A policy file. Published as `docs/policy.schema.json`, for editors that check YAML while it is written. */
export const PolicySchema = Type.Object(
  {
    version: Type.Literal(1, { expect: '1', description: 'The version of this format.' }),
    default_permission: Type.Optional(
      defaultLevel(
        'What everybody who is signed in may do where no grant says more. Overrides DEFAULT_PERMISSION.',
      ),
    ),
    workspaces: Type.Optional(
      Type.Record(
        Type.String({ minLength: 1 }),
        Type.Object(
          { default_permission: defaultLevel('What its members may do in it where no grant says more.') },
          { additionalProperties: false, expect: '{ default_permission: READ }' },
        ),
        {
          expect: 'a map from workspaces to { default_permission: ... }, {} for none',
          description: 'Workspaces other than the default one. Needs WORKSPACES.',
        },
      ),
    ),
    roles: Type.Array(RoleSchema, { expect: 'a list of roles, [] for none' }),
    groups: Type.Optional({
      ...rolesByName('groups'),
      description: 'Roles of a group: `name`, or `provider:name` where there are several providers.',
    }),
    users: Type.Optional({
      ...rolesByName('usernames'),
      description:
        'Roles of a username, from its first sign-in on: `name`, or `provider:name` where there are several providers.',
    }),
  },
  {
    title: 'mlflow-auth-gateway policy',
    additionalProperties: false,
    expect: 'a policy that begins with version: 1',
  },
)

export type PolicyDocument = Static<typeof PolicySchema>
export type GrantDocument = Static<typeof GrantSchema>

/** The schema as it is published: JSON Schema and nothing else. */
export function publishedPolicySchema(): string {
  const schema = { $schema: 'https://json-schema.org/draft/2020-12/schema', ...PolicySchema }
  const hidden: keyof Expectation = 'expect'
  return `${JSON.stringify(schema, (key, value: unknown) => (key === hidden ? undefined : value), 2)}\n`
}

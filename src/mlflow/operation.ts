import type { Action, ResourceType, Tier } from '../policy/grants.ts'
import type { TaggedText } from './author-tag.ts'
import type { RowKind } from './list-rows.ts'
import type { Standing } from './locate.ts'
import type { AiGatewayKind } from './locators/ai-gateway.ts'
import type { ArtifactKind } from './locators/artifacts.ts'
import type { DatasetKind } from './locators/datasets.ts'
import type { JobKind } from './locators/jobs.ts'
import type { McpServerKind } from './locators/mcp-servers.ts'
import type { RegistryLocatorKind } from './locators/registry.ts'
import type { ReviewKind } from './locators/reviews.ts'
import type { ScorerKind } from './locators/scorers.ts'
import type { TrackingKind } from './locators/tracking.ts'
import type { WorkspaceKind } from './locators/workspaces.ts'
import type { PathTemplate } from './path.ts'
import type { QuestionKind } from './questions.ts'
import type { Selector } from './selector.ts'
import type { Stamp } from './stamps.ts'
import type { VersionRange } from './version.ts'
import type { Withholding } from './withhold.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** How the value of a selector leads to the resource that carries the grants: one entry of a table in `locators/`. */
export type LocatorKind =
  | TrackingKind
  | ArtifactKind
  | RegistryLocatorKind
  | DatasetKind
  | AiGatewayKind
  | ReviewKind
  | McpServerKind
  | WorkspaceKind
  | ScorerKind
  | JobKind

export type Locator = { readonly kind: LocatorKind; readonly selector: Selector }

/** The sub-resource that is touched; `version`: of whichever kind the resource's versions are. */
export type TierName = Tier | 'scorer' | 'version'

/** An action on what a locator leads to, see {@link Demand} in policy/decide.ts. */
export type ResourceNeed = {
  readonly kind: 'resource'
  readonly action: Action
  readonly locator: Locator
  /** Instead of the one that the locator knows of. */
  readonly tier?: TierName | undefined
  /** What is asked of the resource where no grant speaks of the sub-resource, if it is another action. */
  readonly inherited?: Action | undefined
  /** A grant on the sub-resource adds, and takes away by `DENY` only. */
  readonly either?: boolean | undefined
  /** What is asked, instead, of those who stand so to it. */
  readonly relaxed?: Readonly<Partial<Record<Standing, Action>>> | undefined
  /** Asked only if this selects something else than these values. */
  readonly when?: { readonly selector: Selector; readonly butNot: readonly string[] } | undefined
  /** Nobody but those who stand so to it, whatever they are granted, and administrators. */
  readonly only?: Standing | undefined
  /** Of a path: who may read a registered model may do it to the files of its versions, see `published.ts`. */
  readonly published?: boolean | undefined
}

/** One thing an operation asks for; every entry of a row must hold. */
export type Need =
  /** Anybody, signed in or not. */
  | { readonly kind: 'public' }
  | { readonly kind: 'signed_in' }
  /** @property methods Those it is asked for; all if absent. */
  | { readonly kind: 'admin'; readonly methods?: readonly Method[] }
  /** Served by MLflow, wanted by no client: 404 for everybody. */
  | { readonly kind: 'nobody' }
  | ResourceNeed
  /** A GraphQL document: each of its root fields asks for what its REST twin asks for. */
  | { readonly kind: 'graphql' }
  /** A list of ids in the request that is narrowed to what the caller may read before it is forwarded. */
  | { readonly kind: 'narrow'; readonly locator: Locator; readonly tier?: TierName | undefined }

/** A response that lists rows; those the caller may not read are left out and the page is refilled. */
export type ListSpec = {
  /** The member of the answer that holds them. */
  readonly field: string
  readonly rows: RowKind
} & (
  | {
      readonly pages: 'token'
      /** Rows of a page when `max_results` is absent; `undefined` where MLflow requires it. */
      readonly defaultSize: number | undefined
      /** Most rows MLflow gives in one page. */
      readonly cap: number
      /** The member is there without rows, too: its clients rely on it. */
      readonly keepsEmpty?: boolean
    }
  /** MLflow gives all rows at once. */
  | { readonly pages: 'none' }
)

/** What else happens to a request or because of it, once it was allowed. */
export type Effect =
  | {
      readonly kind: 'grant_creator'
      readonly type: ResourceType | 'registry'
      readonly at: readonly string[]
    }
  /**
   * The same, if the thing was made for what the answer names as its source: MLflow makes some on the way, or takes what
   * is there under that name already.
   */
  | {
      readonly kind: 'grant_creator_of_source'
      readonly type: ResourceType
      readonly at: readonly string[]
      readonly source: readonly string[]
    }
  | { readonly kind: 'forget_experiment'; readonly selector: Selector }
  | { readonly kind: 'rename_model'; readonly from: Selector; readonly to: Selector }
  | { readonly kind: 'delete_model'; readonly selector: Selector }
  /** Nothing is left of what was granted in a workspace that is gone. */
  | { readonly kind: 'forget_workspace'; readonly selector: Selector }
  /** What was deleted for good leaves no grants on its key behind. */
  | { readonly kind: 'forget_grants'; readonly type: ResourceType; readonly selector: Selector }
  /**
   * MLflow is asked once more, with what its answer says and the caller's name, and that answer counts: it takes the
   * owner of a thing that is made from its own accounts only, but lets it be given away.
   */
  | {
      readonly kind: 'give_to_creator'
      /** Below `/api/`. */
      readonly path: string
      /** Only what is so in its answer. */
      readonly where: { readonly at: readonly string[]; readonly is: string }
      readonly key: { readonly field: string; readonly at: readonly string[] }
      readonly owner: string
    }
  /**
   * What the request would make beside what it is for, if that is judged as making it, is made before: so that it is
   * the caller's, or there already, which ends the request.
   */
  | {
      readonly kind: 'create_first'
      /** Below `/api/`. */
      readonly path: string
      readonly field: string
      readonly selector: Selector
      readonly effect: Effect & { readonly kind: 'grant_creator' }
    }
  /** The same for whatever a locator leads to. */
  | { readonly kind: 'forget_located'; readonly locator: Locator }
  /** Who registered the first version of a scorer manages it; a further version gives nobody anything. */
  | { readonly kind: 'grant_scorer_creator' }
  /** The jobs whose ids are there in the answer are the caller's, see {@link Jobs}. */
  | { readonly kind: 'remember_jobs'; readonly at: readonly string[] }
  /** What the gateway has heard of it holds no longer. */
  | { readonly kind: 'forget_answer'; readonly about: QuestionKind; readonly selector: Selector }
  /** The same for everything of the kind. */
  | { readonly kind: 'forget_answers'; readonly about: QuestionKind }

/** A rule on the request itself, beyond who may touch what. */
export type Rule =
  /** Only an admin may give this field a value. */
  | { readonly kind: 'admin_field'; readonly selector: Selector }
  /** Only an admin may name one of these tags: they decide what kind of thing the resource is, or where it lies. */
  | { readonly kind: 'admin_tag'; readonly selector: Selector; readonly tags: readonly string[] }
  /** The objects that the path leads to hold no other fields: MLflow would look somewhere else. */
  | { readonly kind: 'only_fields'; readonly path: readonly string[]; readonly fields: readonly string[] }
  /** The field must not be given at all: MLflow would read another one. */
  | { readonly kind: 'refuse_field'; readonly selector: Selector; readonly hint: string }
  /** The field must be one path segment. */
  | { readonly kind: 'plain_segment'; readonly selector: Selector }
  /** The field of the query, if it is there, must be a path below some root, in its only spelling. */
  | { readonly kind: 'plain_path'; readonly field: string }
  /** Where MLflow is to send requests: not into private networks, see `outbound-url.ts`; for admins too. */
  | { readonly kind: 'outbound_url'; readonly selector: Selector }
  /** Must not be what a user is called: it would be taken for theirs. For admins too; checked once the rest allows it. */
  | { readonly kind: 'not_a_username'; readonly selector: Selector }
  /** The path must not be one of this form too: MLflow would take it for that. */
  | { readonly kind: 'not_also'; readonly template: PathTemplate }
  /** Off unless the operator switched it on, for admins too. */
  | { readonly kind: 'switch'; readonly name: SwitchName }

/** What an operator may switch on; each is off by default. */
export type SwitchName = 'presignedUrls' | 'assistant'

/** One row of the catalogue: an operation of MLflow, where it is served, and what it asks for. */
export type Operation = {
  /** `runs.log_batch`: the noun as in the path, then the verb. */
  readonly name: string
  readonly methods: readonly Method[]
  readonly paths: readonly PathTemplate[]
  /** From which to which version of MLflow at least one of the paths is served. */
  readonly versions: VersionRange
  readonly needs: readonly Need[]
  /**
   * `json`: read whole, within the JSON limit, and judged. `otlp`: the same for spans, in one of their two encodings,
   * compressed or not. `stream`: passed on unread.
   */
  readonly body: 'json' | 'otlp' | 'stream'
  /** Headers of the client's that MLflow gets, in lower case: each is judged. */
  readonly headers: readonly string[]
  /** Query fields that may be given more than once. */
  readonly repeated: ReadonlySet<string>
  readonly rules: readonly Rule[]
  readonly effects: readonly Effect[]
  readonly list: ListSpec | undefined
  /** A refusal reads as if the thing did not exist, worded as MLflow words it. */
  readonly hidden: ((value: string) => string) | undefined
  /** Answered here with this JSON object, MLflow is not asked. */
  readonly answer: object | undefined
  /** The page that MLflow's interface lives in: it gets a script of ours. */
  readonly shell: boolean
  /** Fields of the body that become the caller's name, see `parseStamp`. */
  readonly stamps: readonly Stamp[]
  /** A text of the body that holds tags, of which one becomes the caller's name, see `parseTaggedText`. */
  readonly authorTags: TaggedText | undefined
  /** Where the sources of assessments are; of those that are people, the caller becomes the one. */
  readonly sources: readonly string[] | undefined
  /** The answer holds what users uploaded: it must not run as a page of ours. */
  readonly untrusted: boolean
  /** Answers may be kept by the browser as MLflow says; all others are `no-store`. */
  readonly cacheable: boolean
  /** Seconds that MLflow may stay silent on it, where that is more than the operator lets it otherwise. */
  readonly patience: number | undefined
  /** Served by the artifact server, where the tracking server has one beside it (mlflow server --artifacts-only). */
  readonly onArtifactServer: boolean
  /** MLflow adds a span to the trace that `traceparent` names, see `callers-trace.ts`. */
  readonly joinsTrace: boolean
  /** The field of the answer that says where files are: clients that may not ask about a run get the path, see `published.ts`. */
  readonly filesAt: string | undefined
  /** What the caller may not see of the answer, though it is theirs. */
  readonly withhold: readonly Withholding[]
  /** Once allowed it goes to MLflow, and the answer to the client, without anything of ours in between. */
  readonly passes: boolean
  /** Changes nothing: what a read-only token may call. */
  readonly readOnly: boolean
}

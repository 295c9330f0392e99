import fc from 'fast-check'
import { type Mutation, mutations } from './mutation.ts'

/** Which of several, whatever their number. */
type Pick = number

/** A token or a cookie's value, and what became of it on the way. */
export type Spoilt = { readonly pick: Pick; readonly changes: readonly Mutation[] }

export type AuthorizationPlan = {
  readonly header: string
  readonly scheme: string
  readonly space: string
  readonly token: Spoilt
  /** As MLflow's clients send a user name and a password. */
  readonly basic: 'password' | 'user' | 'both' | 'alone' | undefined
  readonly after: string
}

export type CookiePlan = {
  /** Whose session it is from, and which of its cookies; or a token of the list instead. */
  readonly from:
    | { readonly guest: Pick; readonly cookie: 'gateway_session' | 'gateway_token' }
    | { readonly token: Pick }
  readonly name: 'own' | 'swapped' | 'login' | 'prefixed' | 'spaced' | 'upper'
  readonly changes: readonly Mutation[]
}

/** A request that shows credentials somewhere they might count. */
export type PresentedPlan = {
  readonly kind: 'presented'
  readonly method: string
  readonly target: string
  readonly authorizations: readonly AuthorizationPlan[]
  readonly cookies: readonly CookiePlan[]
  readonly separator: string
  readonly cookieHeaders: 1 | 2
  readonly more: readonly string[]
  readonly body: string
}

export type ParameterChange =
  | { readonly kind: 'drop' | 'duplicate' | 'swap' | 'upper' | 'empty' | 'encode'; readonly name: string }
  | { readonly kind: 'change'; readonly name: string; readonly changes: readonly Mutation[] }
  | { readonly kind: 'add'; readonly name: string; readonly value: string }

/** A callback: that of one sign-in under way, with things of another's. */
export type CallbackPlan = {
  readonly kind: 'callback'
  readonly guest: Pick
  readonly other: Pick
  readonly path: string
  readonly changes: readonly ParameterChange[]
  readonly cookie:
    | 'own'
    | 'none'
    | 'other'
    | 'both'
    | 'twice'
    | 'renamed'
    | 'own as other'
    | 'session instead'
  readonly cookieChanges: readonly Mutation[]
  /** The cookies of a session of this guest go with it. */
  readonly session: Pick | undefined
  readonly twice: boolean
}

/** A visit to a page that sends one elsewhere. */
export type VisitPlan = {
  /** It is a sign-in, and goes on to its end. */
  readonly isCompleted: boolean
  readonly kind: 'visit'
  readonly path: string
  readonly query: readonly (readonly [name: string, value: string])[]
  readonly more: readonly string[]
  readonly session: Pick | undefined
}

/** Several requests sent at once over one connection. */
export type PipelinedPlan = { readonly kind: 'pipelined'; readonly plans: readonly PresentedPlan[] }

export type Plan = PresentedPlan | PipelinedPlan | CallbackPlan | VisitPlan

/** The first ones are good. */
const pick = fc.oneof(fc.nat(6), fc.nat(60))
const few = <T>(one: fc.Arbitrary<T>, maxLength: number) => fc.array(one, { maxLength })

const token = fc.record({ pick, changes: mutations })
const plain = { header: fc.constant('Authorization'), space: fc.constant(' '), after: fc.constant('') }

const oddAuthorization: fc.Arbitrary<AuthorizationPlan> = fc.record({
  header: fc.constantFrom('Authorization', 'AUTHORIZATION', 'Proxy-Authorization', 'X-Authorization'),
  scheme: fc.constantFrom(
    ...['Bearer', 'bearer', 'BEARER', 'Basic', 'basic', 'Bearer:', 'Bearer,', 'Token', 'Digest', 'DPoP'],
    ...['Negotiate', 'Bearer Bearer', 'Basic Bearer', ''],
  ),
  space: fc.constantFrom(' ', ' ', '  ', '\t', '', ' \t ', '%20', '\xa0', ','),
  token,
  basic: fc.option(fc.constantFrom('password', 'user', 'both', 'alone'), { nil: undefined, freq: 1 }),
  after: fc.constantFrom('', '', '', ' ', ' x', ',', ', Bearer x', ';', '='),
})

const authorization: fc.Arbitrary<AuthorizationPlan> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ ...plain, scheme: fc.constant('Bearer'), token, basic: fc.constant(undefined) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ ...plain, scheme: fc.constant('Basic'), token, basic: fc.constant('password') }),
  },
  { weight: 4, arbitrary: oddAuthorization },
)

const cookie: fc.Arbitrary<CookiePlan> = fc.record({
  from: fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ guest: fc.nat(3), cookie: fc.constantFrom('gateway_session', 'gateway_token') }),
    },
    { weight: 1, arbitrary: fc.record({ token: pick }) },
  ),
  name: fc.constantFrom('own', 'own', 'own', 'own', 'swapped', 'login', 'prefixed', 'spaced', 'upper'),
  changes: mutations,
})

const EXPERIMENTS = '/api/2.0/mlflow/experiments'

const presented: fc.Arbitrary<PresentedPlan> = fc.record({
  kind: fc.constant('presented'),
  method: fc.constantFrom(...Array<string>(12).fill('GET'), 'HEAD', 'POST', 'POST', 'DELETE', 'PUT'),
  target: fc.constantFrom(
    ...[
      '/auth/api/v1/me',
      '/auth/api/v1/me',
      `${EXPERIMENTS}/get?experiment_id=1`,
      `${EXPERIMENTS}/get?experiment_id=2`,
    ],
    ...[`${EXPERIMENTS}/get?experiment_id=2`, `${EXPERIMENTS}/search?max_results=5`, '/', '/auth/tokens'],
    ...['/auth/api/v1/tokens', '/auth/logout', '/auth/admin', '/auth/login?provider=oidc'],
    ...['/ajax-api/2.0/mlflow/users/current', '/auth/tokens/x/revoke', '/auth/signed-out'],
  ),
  authorizations: fc.oneof(
    { weight: 5, arbitrary: fc.array(authorization, { minLength: 1, maxLength: 1 }) },
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(authorization, { minLength: 2, maxLength: 2 }) },
  ),
  cookies: few(cookie, 4),
  separator: fc.constantFrom('; ', '; ', '; ', ';', ' ; ', ', ', ';;', '\t;', '&'),
  cookieHeaders: fc.constantFrom(1, 1, 1, 2),
  more: few(
    fc.constantFrom(
      ...['Accept: text/html', 'Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: navigate', 'Origin: null'],
      ...[
        'Origin: https://evil.example',
        'X-Forwarded-User: admin',
        'X-Forwarded-Host: evil.example',
        'X-Email: admin',
      ],
      ...[
        'Remote-User: admin',
        'X-Original-URL: /auth/admin',
        'Content-Type: application/json',
        'Expect: 100-continue',
      ],
      ...[
        'Content-Type: application/x-www-form-urlencoded',
        'Sec-Fetch-Site: same-origin',
        'Cookie: theme=dark',
      ],
    ),
    3,
  ),
  body: fc.constantFrom(
    '',
    '',
    '',
    '{}',
    '{"name":"x","expires_in":60}',
    'form_token=x&name=y',
    '\x00\xff',
    '[',
    'a=1&a=2',
  ),
})

const NAMES = ['code', 'state', 'iss']
const ADDED = [
  'error',
  'error_description',
  'error_uri',
  'id_token',
  'access_token',
  'response',
  'session_state',
  'code',
  'x',
]
/** What a provider says went wrong is logged; anything else of a callback is not. */
const VALUES = [
  ...[
    'access_denied',
    'server_error',
    'made-up',
    '',
    '<script>alert(1)</script>',
    '\r\nSet-Cookie: a=b',
    'x'.repeat(3000),
  ],
  ...['eyJhbGciOiJub25lIn0.e30.', '__proto__', 'https://evil.example/', '%', '\ud800', '\u0000'],
]

const parameterChange: fc.Arbitrary<ParameterChange> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('drop', 'duplicate', 'swap', 'upper', 'empty', 'encode'),
    name: fc.constantFrom(...NAMES),
  }),
  fc.record({ kind: fc.constant('change' as const), name: fc.constantFrom(...NAMES), changes: mutations }),
  fc.record({
    kind: fc.constant('add' as const),
    name: fc.constantFrom(...ADDED),
    value: fc.constantFrom(...VALUES),
  }),
)

const callback: fc.Arbitrary<CallbackPlan> = fc.record({
  kind: fc.constant('callback'),
  guest: fc.nat(3),
  other: fc.nat(3),
  path: fc.constantFrom(
    ...Array<string>(20).fill('/auth/callback/oidc'),
    ...[
      '/auth/callback/oidc',
      '/auth/callback/oidc',
      '/auth/callback/oidc',
      '/auth/callback/oidc',
      '/auth/callback/OIDC',
    ],
    ...[
      '/auth/callback/%6fidc',
      '/auth/callback/oidc/',
      '/auth/callback/',
      '/auth/callback/google',
      '//auth/callback/oidc',
    ],
    ...[
      '/auth/callback/__proto__',
      '/auth/callback/oidc%00',
      '/auth/callback/..%2foidc',
      '/auth/callback/oidc;x',
    ],
  ),
  changes: few(parameterChange, 2),
  cookie: fc.constantFrom(
    ...([
      'own',
      'own',
      'own',
      'none',
      'other',
      'both',
      'twice',
      'renamed',
      'own as other',
      'session instead',
    ] as const),
  ),
  cookieChanges: mutations,
  session: fc.option(fc.nat(3), { nil: undefined, freq: 3 }),
  twice: fc.boolean(),
})

/** Field report after field report: what was taken for a path of one's own. */
const ELSEWHERE = [
  ...[
    '//evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/\t/evil.example',
    'https://evil.example',
    '/%2f/evil.example',
  ],
  ...[
    '/..//evil.example',
    '/.//evil.example',
    '///evil.example',
    '/%09/evil.example',
    'javascript:alert(1)',
    '/@evil.example',
  ],
  ...[
    '/\r\nLocation: //evil.example',
    '/auth/login?return_to=//evil.example',
    '/auth/logout',
    '/%5cevil.example',
    '',
  ],
  ...[
    '/#//evil.example',
    '/?x=//evil.example',
    '/;//evil.example',
    '//evil.example@127.0.0.1',
    'http:evil.example',
    '/\x00',
  ],
  ...[
    '/%c0%af/evil.example',
    '/\u3002evil.example',
    '//\u3002evil',
    `/${'a'.repeat(3000)}`,
    '/%',
    '/.%2e//evil.example',
  ],
]

const visit: fc.Arbitrary<VisitPlan> = fc.record({
  kind: fc.constant('visit'),
  isCompleted: fc.boolean(),
  path: fc.constantFrom(
    ...Array<string>(10).fill('/auth/login'),
    ...[
      '/auth/login',
      '/auth/login',
      '/auth/login',
      '/auth/logout',
      '/auth/signed-out',
      '/',
      '//evil.example',
      '/\\evil.example',
    ],
    ...[
      '/auth/login/',
      '/auth//login',
      '/%2e%2e/auth/login',
      '//evil.example/%2e%2e',
      '/auth/tokens',
      '/auth/admin',
    ],
  ),
  query: few(
    fc.tuple(
      fc.constantFrom(
        'return_to',
        'return_to',
        'next',
        'provider',
        'prompt',
        'redirect_uri',
        'rd',
        'post_logout_redirect_uri',
      ),
      fc.oneof(
        { weight: 4, arbitrary: fc.constantFrom(...ELSEWHERE) },
        {
          weight: 2,
          arbitrary: fc.constantFrom('oidc', 'login', 'none', 'OIDC', '__proto__', 'constructor'),
        },
        { weight: 1, arbitrary: fc.webPath() },
        { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }).map((text) => `/${text}`) },
      ),
    ),
    3,
  ),
  more: few(
    fc.constantFrom(
      'Accept: text/html',
      'Sec-Fetch-Mode: navigate',
      'X-Forwarded-Host: evil.example',
      'X-Forwarded-Proto: https',
    ),
    2,
  ),
  session: fc.option(fc.nat(3), { nil: undefined, freq: 3 }),
})

export const plan: fc.Arbitrary<Plan> = fc.oneof(
  { weight: 6, arbitrary: presented },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('pipelined' as const),
      plans: fc.array(presented, { minLength: 2, maxLength: 3 }),
    }),
  },
  { weight: 2, arbitrary: callback },
  { weight: 2, arbitrary: visit },
)

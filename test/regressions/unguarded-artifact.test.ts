/**
 * The attack: the same files under another prefix. Only one of ten families of artifact routes had a rule (field
 * report 4), presigned downloads had none (6); and a path that lies in no experiment, or in one that stores elsewhere,
 * was anybody's. On the other side EDIT was not enough to store a file (24), or the place was not understood (20).
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MODEL_A, MODEL_B, RUN_A, RUN_B } from '../support/mlflow-stand-in.ts'
import { rawExchange } from '../support/raw-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

type Family = readonly [method: string, prefix: string, body: object | string | undefined]

/** Every family of routes that takes a path of the artifact store, under each of its prefixes. */
const FAMILIES: readonly Family[] = ['/api', '/ajax-api'].flatMap((prefix): Family[] => [
  ['GET', `${prefix}/2.0/mlflow-artifacts/artifacts/`, undefined],
  ['PUT', `${prefix}/2.0/mlflow-artifacts/artifacts/`, 'content'],
  ['DELETE', `${prefix}/2.0/mlflow-artifacts/artifacts/`, undefined],
  ['POST', `${prefix}/2.0/mlflow-artifacts/mpu/create/`, { path: 'x', num_parts: 1 }],
  ['POST', `${prefix}/2.0/mlflow-artifacts/mpu/complete/`, { path: 'x', upload_id: 'u', parts: [] }],
  ['POST', `${prefix}/2.0/mlflow-artifacts/mpu/abort/`, { path: 'x', upload_id: 'u' }],
  ['GET', `${prefix}/2.0/mlflow-artifacts/presigned/`, undefined],
])

const LEVEL = { GET: 'READ', PUT: 'EDIT', POST: 'EDIT', DELETE: 'MANAGE' } as const
const WHO = ['outsider', 'reader', 'editor', 'admin'] as const
const HELD: Readonly<Record<(typeof WHO)[number], readonly string[]>> = {
  outsider: [],
  reader: ['READ'],
  editor: ['READ', 'EDIT'],
  admin: ['READ', 'EDIT', 'MANAGE'],
}

function ask([method, prefix, body]: Family, path: string, as: (typeof WHO)[number] | undefined) {
  const sent = typeof body === 'object' ? { json: body } : body === undefined ? {} : { body }
  return gateway.ask({ method, target: `${prefix}${path}`, as, ...sent })
}

describe.each(FAMILIES)('field report 4: %s %s', (...family) => {
  const [method, prefix] = family
  const isPresigned = prefix.includes('presigned')
  const places = [
    [`1/${RUN_A}/artifacts/x`, true],
    [`1/models/${MODEL_A}/artifacts/MLmodel`, true],
    ['workspaces/default/7/run/artifacts/x', true],
    ['2/run/artifacts/x', false],
    [`2/models/${MODEL_B}/artifacts/MLmodel`, false],
    ['workspaces/default/2/x', false],
    ['workspaces/other/7/x', false],
    ['workspaces/other/1/x', false],
    ['7/run/artifacts/x', false],
    ['4/run/artifacts/x', false],
    ['5/run/artifacts/x', false],
    ['6/run/artifacts/x', false],
    [`${RUN_A}/artifacts/x`, false],
    ['zzz/free.txt', false],
    ['888/x', false],
    ['01/x', false],
    ['workspaces', false],
  ] as const

  it.each(places)("%s (alpha's: %s)", async (path, isAlphas) => {
    for (const as of WHO) {
      const may = as === 'admin' || (isAlphas && HELD[as].includes(LEVEL[method as keyof typeof LEVEL]))
      const { status, event, reached } = await ask(family, path, as)
      if (may && !isPresigned) {
        expect([as, status, reached.map((line) => line.split('?')[0])]).toEqual([
          as,
          200,
          [`${method} ${prefix}${path}`],
        ])
      } else {
        expect([as, status, event?.effect, reached]).toEqual([as, 403, 'deny', []])
      }
    }
    const stranger = await ask(family, path, undefined)
    expect([stranger.status, stranger.reached]).toEqual([401, []])
  })
})

describe('field report 6: a presigned URL, which outlives a revocation', () => {
  const rows = [
    ['GET', `/api/2.0/mlflow-artifacts/presigned/1/${RUN_A}/artifacts/x`, undefined],
    ['POST', '/api/2.0/mlflow/artifacts/presigned-download-url', { run_id: RUN_A, path: 'x' }],
    ['POST', '/api/2.0/mlflow/artifacts/presigned-upload-url', { run_id: RUN_A, path: 'x' }],
    ['POST', '/ajax-api/2.0/mlflow/artifacts/presigned-upload-url', { model_id: MODEL_A, path: 'x' }],
  ] as const

  it.each(rows)('%s %s is off for everybody, unless it is switched on', async (method, target, json) => {
    for (const as of ['reader', 'editor', 'admin'] as const) {
      const { line, reached } = await gateway.ask({ method, target, as, ...(json && { json }) })
      expect([line, reached]).toEqual(['403 PERMISSION_DENIED switched_off', []])
    }
  })

  describe('switched on', () => {
    let open: TestGateway
    beforeAll(async () => {
      open = await startTestGateway({ env: { ALLOW_PRESIGNED_URLS_THAT_OUTLIVE_REVOCATION: 'true' } })
    })
    afterAll(() => open.stop())

    it.each(rows)('%s %s asks for the level of what it stands for', async (method, target, json) => {
      const level = target.includes('upload') ? 'EDIT' : 'READ'
      for (const as of ['outsider', 'reader', 'editor'] as const) {
        const { status } = await open.ask({ method, target, as, ...(json && { json }) })
        expect([as, status]).toEqual([as, HELD[as].includes(level) ? 200 : 403])
      }
    })

    it.each([
      ['GET', `/api/2.0/mlflow-artifacts/presigned/2/${RUN_B}/artifacts/x`, undefined],
      ['POST', '/api/2.0/mlflow/artifacts/presigned-download-url', { run_id: RUN_B, path: 'x' }],
      [
        'POST',
        '/api/2.0/mlflow/artifacts/presigned-upload-url',
        { run_id: RUN_A, model_id: MODEL_B, path: 'x' },
      ],
      ['POST', '/api/2.0/mlflow/artifacts/presigned-upload-url', { model_id: MODEL_B, path: 'x' }],
    ] as const)("%s %s %j of somebody else's: refused", async (method, target, json) => {
      const { line, reached } = await open.ask({ method, target, as: 'editor', ...(json && { json }) })
      expect([line, reached]).toEqual(['403 PERMISSION_DENIED no_grant', []])
    })
  })
})

describe('the part of a multipart upload that the body names', () => {
  it.each(['../x', 'a/b', '/x', '..', '.', 'a\\b', 'a%2fb', 'a%252fb', 'a\0b', 'a#b', '2/x'])(
    '%j: refused',
    async (path) => {
      for (const step of ['create', 'complete', 'abort']) {
        const target = `/api/2.0/mlflow-artifacts/mpu/${step}/1/${RUN_A}/artifacts`
        const { status, event, reached } = await gateway.ask({
          method: 'POST',
          target,
          as: 'editor',
          json: { path },
        })
        expect([status, event?.reason, reached]).toEqual([400, 'ERR_AMBIGUOUS_REQUEST', []])
      }
    },
  )

  it.each([{}, { path: 1 }, { path: ['x'] }, { path: '' }])('%j: refused', async (json) => {
    const target = `/api/2.0/mlflow-artifacts/mpu/create/1/${RUN_A}/artifacts`
    const { line, reached } = await gateway.ask({ method: 'POST', target, as: 'editor', json })
    expect([line, reached]).toEqual(['400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER', []])
  })
})

describe('field report 24: EDIT stores every kind of file', () => {
  it.each([
    ['a file', 'PUT', `/api/2.0/mlflow-artifacts/artifacts/1/${RUN_A}/artifacts/d/x.json`],
    ['a figure', 'PUT', `/api/2.0/mlflow-artifacts/artifacts/1/${RUN_A}/artifacts/plots/%C3%A9%20(1).png`],
    [
      'an image of a step',
      'PUT',
      `/api/2.0/mlflow-artifacts/artifacts/1/${RUN_A}/artifacts/images/x%25step%250%25timestamp%251.png`,
    ],
    ["a model's file", 'PUT', `/api/2.0/mlflow-artifacts/artifacts/1/models/${MODEL_A}/artifacts/MLmodel`],
    ['by the interface', 'POST', `/ajax-api/2.0/mlflow/upload-artifact?run_uuid=${RUN_A}&path=table.json`],
  ])('%s', async (_, method, target) => {
    const body = Buffer.from([0, 1, 2, 255])
    for (const chunked of [false, true]) {
      const { line, forwarded } = await gateway.ask({ method, target, as: 'editor', body, chunked })
      expect([line, forwarded.map((request) => request.body)]).toEqual(['200 allow', [body]])
    }
    const { line } = await gateway.ask({ method, target, as: 'reader', body })
    expect(line).toBe('403 PERMISSION_DENIED level_too_low')
  })
})

describe('field report 55: an upload without the right', () => {
  it('is refused before it is read', async () => {
    const head = [
      `PUT /api/2.0/mlflow-artifacts/artifacts/2/x HTTP/1.1`,
      'Host: 127.0.0.1',
      `Authorization: Bearer ${gateway.members.editor.token}`,
      `Content-Length: ${4 * 1024 ** 3}`,
    ]
    gateway.upstream.forget()
    const { responses } = await rawExchange(gateway.port, `${head.join('\r\n')}\r\n\r\n`, { timeoutMs: 2000 })
    expect(responses.map(({ status }) => status)).toEqual([403])
    expect(gateway.upstream.bytesRead()).toBe(0)
  })
})

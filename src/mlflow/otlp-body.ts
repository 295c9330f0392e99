import type { IncomingMessage } from 'node:http'
import { promisify } from 'node:util'
import { gunzip, inflate, inflateRaw } from 'node:zlib'
import { GatewayError } from '../errors.ts'
import { OTLP_TYPES, type OtlpType } from './otlp.ts'

type Framing = { readonly type: OtlpType; readonly coding: 'gzip' | 'deflate' | undefined }

/**
 * How the body of an OTLP export is to be read, as its headers say; each of them once.
 *
 * @throws {GatewayError} `ERR_UNSUPPORTED_MEDIA_TYPE`.
 */
export function otlpFraming({ headers, headersDistinct }: IncomingMessage): Framing {
  const once = (headersDistinct['content-type']?.length ?? 0) === 1
  const [media] = (headers['content-type'] ?? '').split(';')
  const type = OTLP_TYPES.find((each) => each === media)
  if (type === undefined || !once) {
    throw unsupported(`Send the spans once as Content-Type: ${OTLP_TYPES.join(' or ')}`)
  }
  const coding = headers['content-encoding']
  if (coding === undefined || coding === 'gzip' || coding === 'deflate') return { type, coding }
  throw unsupported('Send the spans with Content-Encoding: gzip or deflate, or without')
}

const INFLATE = {
  gzip: [promisify(gunzip)],
  // With the zlib header as RFC 9110 §8.4.1.2 has it, or without, as some clients send it and MLflow takes it.
  deflate: [promisify(inflate), promisify(inflateRaw)],
} as const

/**
 * The body as it was before it was compressed.
 *
 * @param limit Most bytes it may have then.
 * @throws {GatewayError} `ERR_BODY_TOO_LARGE`, `ERR_AMBIGUOUS_REQUEST`.
 */
export async function inflated(bytes: Buffer, coding: Framing['coding'], limit: number): Promise<Buffer> {
  if (coding === undefined) return bytes
  let fault: unknown
  for (const decode of INFLATE[coding]) {
    try {
      return await decode(bytes, { maxOutputLength: limit })
    } catch (cause) {
      if (isTooLong(cause)) {
        const message = `The spans are larger than ${limit} bytes; send smaller batches, or raise JSON_BODY_LIMIT on the gateway`
        throw new GatewayError('ERR_BODY_TOO_LARGE', message, { cause })
      }
      fault = cause
    }
  }
  throw new GatewayError('ERR_AMBIGUOUS_REQUEST', `The body is not valid ${coding}`, { cause: fault })
}

function isTooLong(fault: unknown): boolean {
  return fault instanceof Error && 'code' in fault && fault.code === 'ERR_BUFFER_TOO_LARGE'
}

function unsupported(message: string): GatewayError {
  return new GatewayError('ERR_UNSUPPORTED_MEDIA_TYPE', message)
}

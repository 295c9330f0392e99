import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readProxyHeader } from '../../src/network/proxy-protocol.ts'
import { proxyV2 } from '../support/proxy-header.ts'

const v1 = (line: string) => Buffer.from(line, 'latin1')
const IPV4 = { family: 0x11, addresses: [203, 0, 113, 9, 10, 0, 0, 2, 0xf0, 0x01, 0x01, 0xbb] }
const IPV6 = {
  family: 0x21,
  addresses: [0x20, 1, 0xd, 0xb8, ...Array(11).fill(0), 9, ...Array(15).fill(0), 1, 0, 1, 0, 2],
}
const TLVS = [0x01, 0x00, 0x02, 0x68, 0x32, 0x04, 0x00, 0x00]

const lineOf = (bytes: Buffer) => {
  const header = readProxyHeader(bytes)
  return header.is === 'header' ? `${header.length} ${header.source ?? '-'}` : header.is
}

describe('version 1', () => {
  it.each([
    ['PROXY TCP4 203.0.113.9 10.0.0.2 61234 443\r\n', '43 203.0.113.9'],
    ['PROXY TCP4 203.0.113.9 10.0.0.2 61234 443\r\nGET / HTTP/1.1\r\n', '43 203.0.113.9'],
    ['PROXY TCP6 2001:DB8::9 ::1 61234 443\r\n', '38 2001:db8::9'],
    ['PROXY TCP6 ::ffff:203.0.113.9 ::1 61234 443\r\n', '45 203.0.113.9'],
    ['PROXY UNKNOWN\r\n', '15 -'],
    [`PROXY UNKNOWN ${'f'.repeat(91)}\r\n`, '107 -'],
    [`PROXY UNKNOWN ${'f'.repeat(92)}\r\n`, 'invalid'],
    [`PROXY TCP4 203.0.113.9 10.0.0.2 61234 443${' '.repeat(100)}`, 'invalid'],
    ['PROXY TCP4 203.0.113.9 10.0.0.2 61234 443\n', 'unfinished'],
    ['PROXY TCP4 203.0.113.9 10.0.0.2 61234\r\n', 'invalid'],
    ['PROXY TCP4 203.0.113.9 10.0.0.2 61234 65536\r\n', 'invalid'],
    ['PROXY TCP4 2001:db8::9 ::1 61234 443\r\n', 'invalid'],
    ['PROXY TCP6 203.0.113.9 10.0.0.2 61234 443\r\n', 'invalid'],
    ['PROXY TCP4 203.0.113.009 10.0.0.2 61234 443\r\n', 'invalid'],
    ['PROXY TCP4  203.0.113.9 10.0.0.2 61234 443\r\n', 'invalid'],
    ['PROXY TCP4 203.0.113.9 x 61234 443\r\n', 'invalid'],
    ['PROXY UDP4 203.0.113.9 10.0.0.2 61234 443\r\n', 'invalid'],
    ['PROXY UNKNOWNS\r\n', 'invalid'],
    ['proxy TCP4 203.0.113.9 10.0.0.2 61234 443\r\n', 'invalid'],
    ['GET / HTTP/1.1\r\n', 'invalid'],
    ['\x16\x03\x01\x02\x00', 'invalid'],
    ['', 'unfinished'],
    ['P', 'unfinished'],
    ['PO', 'invalid'],
    ['\r', 'unfinished'],
    ['\r\n\r\nG', 'invalid'],
  ])('%j → %s', (line, expected) => expect(lineOf(v1(line))).toBe(expected))
})

describe('version 2', () => {
  it.each([
    ['IPv4', proxyV2(IPV4), '28 203.0.113.9'],
    ['IPv6', proxyV2(IPV6), '52 2001:db8::9'],
    ['with extensions', proxyV2({ ...IPV4, extensions: TLVS }), '36 203.0.113.9'],
    ['with what follows', Buffer.concat([proxyV2(IPV4), v1('GET / ')]), '28 203.0.113.9'],
    ['a proxy that speaks for itself', proxyV2({ command: 0x20, family: 0, addresses: [] }), '16 -'],
    ['the same with addresses, which do not count', proxyV2({ ...IPV4, command: 0x20 }), '28 -'],
    ['no family', proxyV2({ family: 0, addresses: [1, 2, 3] }), '19 -'],
    ['a local socket', proxyV2({ family: 0x31, addresses: Array(216).fill(65) }), '232 -'],
    ['datagrams', proxyV2({ ...IPV4, family: 0x12 }), 'invalid'],
    ['an unknown family', proxyV2({ ...IPV4, family: 0x41 }), 'invalid'],
    ['another version', proxyV2({ ...IPV4, command: 0x11 }), 'invalid'],
    ['an unknown command', proxyV2({ ...IPV4, command: 0x22 }), 'invalid'],
    ['too short for its family', proxyV2({ family: 0x21, addresses: IPV4.addresses }), 'invalid'],
    ['half an extension', proxyV2({ ...IPV4, extensions: [0x01, 0x00, 0x05, 1] }), 'invalid'],
    ['the longest that is waited for', proxyV2(IPV4, 4096).subarray(0, 40), 'unfinished'],
    ['a longer one', proxyV2(IPV4, 4097), 'invalid'],
    ['the longest there is', proxyV2(IPV4, 65_535), 'invalid'],
  ])('%s', (_, bytes, expected) => expect(lineOf(bytes)).toBe(expected))
})

describe('split anywhere', () => {
  it.each([
    ['version 1', v1('PROXY TCP4 203.0.113.9 10.0.0.2 61234 443\r\n')],
    ['version 2', proxyV2({ ...IPV4, extensions: TLVS })],
  ])('%s is unfinished up to its last byte', (_, bytes) => {
    for (let length = 0; length < bytes.length; length++) {
      expect(readProxyHeader(bytes.subarray(0, length)).is, String(length)).toBe('unfinished')
    }
    expect(readProxyHeader(bytes).is).toBe('header')
  })
})

it('any bytes: never throws, never waits beyond its bound, never takes more than there is', () => {
  const start = fc.constantFrom(Buffer.alloc(0), v1('PROXY TCP4 '), proxyV2(IPV4).subarray(0, 12))
  const anything = fc.tuple(start, fc.uint8Array({ maxLength: 300 }))
  fc.assert(
    fc.property(anything, ([head, tail]) => {
      const bytes = Buffer.concat([head, tail])
      const header = readProxyHeader(bytes)
      if (header.is === 'header') expect(header.length).toBeLessThanOrEqual(bytes.length)
      const longer = readProxyHeader(Buffer.concat([bytes, Buffer.alloc(4112)]))
      expect(longer.is).not.toBe('unfinished')
    }),
    { numRuns: 2000 },
  )
})

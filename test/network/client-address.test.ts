/** Field report 84 and its whole kind: who may say where a request comes from, and how it can be said wrongly. */
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { createNetworks, parseNetworks } from '../../src/network/address.ts'
import { createClientAddresses } from '../../src/network/client-address.ts'
import type { AddressHeader } from '../../src/network/forwarded.ts'

const PROXY = '10.0.0.2'

type Sent = Readonly<Record<string, string>>

/** Whom a request is taken to be from that came from `peer`, where 10.0.0.0/24 and loopback are trusted proxies. */
function clientOf(peer: string, headers: Sent, header: AddressHeader = 'X-Forwarded-For') {
  const isTrusted = createNetworks(['10.0.0.0/24', 'loopback'].flatMap((entry) => parseNetworks(entry) ?? []))
  const addresses = createClientAddresses({ isTrusted, header })
  const socket = new Socket()
  Object.defineProperty(socket, 'remoteAddress', { value: peer })
  const request = new IncomingMessage(socket)
  Object.assign(request.headers, headers)
  const { address, isCertain } = addresses.of(request)
  return isCertain ? address : `${address} instead`
}

const by = (...values: readonly string[]) => ({ 'x-forwarded-for': values.join(', ') })

describe('X-Forwarded-For', () => {
  it.each<[string, string, Sent, string]>([
    ['of a stranger counts for nothing', '203.0.113.9', by('127.0.0.1'), '203.0.113.9'],
    ['of a stranger next to the proxies neither', '10.0.1.2', by('127.0.0.1'), '10.0.1.2'],
    ['of a proxy counts', PROXY, by('203.0.113.9'), '203.0.113.9'],
    ['of a proxy on a dual-stack socket counts', `::ffff:${PROXY}`, by('203.0.113.9'), '203.0.113.9'],
    ['what the client sent is left of it', PROXY, by('127.0.0.1', '203.0.113.9'), '203.0.113.9'],
    ['two proxies', PROXY, by('203.0.113.9', '10.0.0.7'), '203.0.113.9'],
    ['two proxies and a lie', PROXY, by('10.0.0.9', '203.0.113.9', '10.0.0.7'), '203.0.113.9'],
    ['a lie that looks like one more proxy', PROXY, by('1.2.3.4', '10.0.0.9', '203.0.113.9'), '203.0.113.9'],
    ['proxies only', PROXY, by('10.0.0.9', '10.0.0.7'), '10.0.0.9'],
    ['IPv4 as IPv6', PROXY, by('::ffff:203.0.113.9'), '203.0.113.9'],
    ['a proxy as IPv6', PROXY, by('203.0.113.9', '::ffff:a00:7'), '203.0.113.9'],
    ['IPv6', PROXY, by('2001:DB8:0:0::9'), '2001:db8::9'],
    ['with a port', PROXY, by('203.0.113.9:61234'), '203.0.113.9'],
    ['IPv6 with a port', PROXY, by('[2001:db8::9]:443'), '2001:db8::9'],
    ['garbage left of the client', PROXY, by('"; DROP', '\\"', '203.0.113.9'), '203.0.113.9'],
    ['an open quote left of the client', PROXY, by('"1.2.3.4', '203.0.113.9'), '203.0.113.9'],
    ['absent', PROXY, {}, PROXY],
    ['in the other header', PROXY, { forwarded: 'for=1.2.3.4' }, PROXY],
    [
      'with a lie in the other header',
      PROXY,
      { forwarded: 'for=1.2.3.4', ...by('203.0.113.9') },
      '203.0.113.9',
    ],
    [
      'X-Real-IP and the like',
      PROXY,
      { 'x-real-ip': '1.2.3.4', 'x-client-ip': '1.2.3.4', 'true-client-ip': '1.2.3.4' },
      PROXY,
    ],
    ['empty', PROXY, by(''), `${PROXY} instead`],
    ['no address', PROXY, by('1.2.3.4', 'unknown'), `${PROXY} instead`],
    ['an address with leading zeros', PROXY, by('1.2.3.4', '010.1.1.1'), `${PROXY} instead`],
    ['a name', PROXY, by('localhost'), `${PROXY} instead`],
    ['a trailing comma', PROXY, by('203.0.113.9', ''), `${PROXY} instead`],
    ['separated by blanks', PROXY, by('127.0.0.1 203.0.113.9'), `${PROXY} instead`],
    ['garbage between proxies', PROXY, by('203.0.113.9', 'x', '10.0.0.7'), `${PROXY} instead`],
    [
      'as many proxies as are believed',
      PROXY,
      by('203.0.113.9', ...Array(15).fill('10.0.0.7')),
      '203.0.113.9',
    ],
    ['more of them', PROXY, by('203.0.113.9', ...Array(16).fill('10.0.0.7')), `${PROXY} instead`],
    ['very many', PROXY, by(...Array(3000).fill('1.1.1.1'), '203.0.113.9'), '203.0.113.9'],
  ])('%s', (_, peer, headers, expected) => expect(clientOf(peer, headers)).toBe(expected))
})

describe('Forwarded', () => {
  it.each<[string, string]>([
    ['for=203.0.113.9', '203.0.113.9'],
    ['for=203.0.113.9;proto=https;by=10.0.0.2', '203.0.113.9'],
    ['proto=https ; For="203.0.113.9:4711"', '203.0.113.9'],
    ['for="[2001:db8::9]:4711"', '2001:db8::9'],
    ['for=127.0.0.1, for=203.0.113.9', '203.0.113.9'],
    ['for=203.0.113.9, for=10.0.0.7;host="a, for=1.2.3.4"', '203.0.113.9'],
    ['for="127.0.0.1, for=203.0.113.9', '203.0.113.9'],
    ['for=1.2.3.4;host=", for=203.0.113.9', '203.0.113.9'],
    ['x\\", for=203.0.113.9', '203.0.113.9'],
    ['for=203.0.113.9;for=1.2.3.4', `${PROXY} instead`],
    ['for=unknown', `${PROXY} instead`],
    ['for=_hidden', `${PROXY} instead`],
    ['proto=https', `${PROXY} instead`],
    ['203.0.113.9', `${PROXY} instead`],
    ['for=203.0.113.9 for=1.2.3.4', `${PROXY} instead`],
    ['for=1.2.3.4;host="a\\", for=203.0.113.9;x="b"', '203.0.113.9'],
    ['for=203.0.113.9;host="a\\"b"', `${PROXY} instead`],
    ['for=203.0.113.9"', `${PROXY} instead`],
    ['', `${PROXY} instead`],
  ])('%s', (forwarded, expected) => {
    expect(clientOf(PROXY, { forwarded, ...by('6.6.6.6') }, 'Forwarded')).toBe(expected)
  })

  it('takes a time that grows with its length only', () => {
    const long = `${',"",'.repeat(4000)}"`
    const started = performance.now()
    for (let round = 0; round < 20; round++) clientOf(PROXY, { forwarded: long }, 'Forwarded')
    expect(performance.now() - started).toBeLessThan(1000)
  })
})

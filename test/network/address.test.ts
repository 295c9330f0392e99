import { describe, expect, it } from 'vitest'
import { canonicalAddress, createNetworks, parseNetworks } from '../../src/network/address.ts'

describe('canonicalAddress', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['::1', '::1'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['2001:DB8::A', '2001:db8::a'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::FFFF:10.0.0.1', '10.0.0.1'],
    ['::ffff:0a00:0001', '10.0.0.1'],
    ['0:0:0:0:0:ffff:7f00:1', '127.0.0.1'],
    // Not mapped: other prefixes that hold an IPv4 address stay what they are.
    ['::10.0.0.1', '::a00:1'],
    ['64:ff9b::10.0.0.1', '64:ff9b::a00:1'],
    ['::ffff:0:a00:1', '::ffff:0:a00:1'],
    ['::ffff:5', '::ffff:5'],
  ])('%s → %s', (text, canonical) => expect(canonicalAddress(text)).toBe(canonical))

  it.each([
    '',
    '010.0.0.1',
    '10.0.0',
    '0x7f.1',
    '2130706433',
    '10.0.0.1 ',
    '10.0.0.1:80',
    '[::1]',
    ':::1',
    '1::2::3',
    'localhost',
    '10.0.0.256',
    '::1]/#',
    `::${'0'.repeat(50)}1`,
  ])('%j is none', (text) => expect(canonicalAddress(text)).toBeUndefined())
})

describe('parseNetworks', () => {
  it.each([
    ['10.0.0.1', [{ address: '10.0.0.1', prefix: 32 }]],
    ['10.0.0.0/8', [{ address: '10.0.0.0', prefix: 8 }]],
    ['0.0.0.0/0', [{ address: '0.0.0.0', prefix: 0 }]],
    ['fd00::/8', [{ address: 'fd00::', prefix: 8 }]],
    ['::1', [{ address: '::1', prefix: 128 }]],
    ['::ffff:10.0.0.0/104', [{ address: '10.0.0.0', prefix: 8 }]],
    ['::ffff:10.0.0.1', [{ address: '10.0.0.1', prefix: 32 }]],
    [
      'loopback',
      [
        { address: '127.0.0.0', prefix: 8 },
        { address: '::1', prefix: 128 },
      ],
    ],
  ])('%s', (entry, networks) => expect(parseNetworks(entry)).toEqual(networks))

  it.each([
    '',
    'proxy.internal',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    'fd00::/129',
    '::ffff:10.0.0.0/24',
    '*',
    'Loopback',
    '10.0.0.0-10.0.0.9',
    '/8',
  ])('%j is none', (entry) => expect(parseNetworks(entry)).toBeUndefined())
})

describe('createNetworks', () => {
  const holds = createNetworks(
    ['10.0.0.0/8', '192.168.7.5', 'fd00::/8', 'loopback'].flatMap((entry) => parseNetworks(entry) ?? []),
  )

  it.each([
    ['10.255.255.255', true],
    ['11.0.0.0', false],
    ['192.168.7.5', true],
    ['192.168.7.6', false],
    ['127.9.9.9', true],
    ['::1', true],
    ['::2', false],
    ['fdff::1', true],
    ['fe00::1', false],
    ['', false],
  ])('%j: %s', (address, expected) => expect(holds(address)).toBe(expected))

  it('nothing is in none', () => expect(createNetworks([])('10.0.0.1')).toBe(false))

  it('does not take an IPv6 address for the IPv4 one that its last bits look like', () => {
    expect(createNetworks([{ address: '0.0.0.0', prefix: 0 }])('::a00:1')).toBe(false)
  })
})

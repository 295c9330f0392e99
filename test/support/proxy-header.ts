/** A header of the PROXY protocol, version 2. */
export function proxyV2(
  {
    command = 0x21,
    family,
    addresses,
    extensions = [],
  }: {
    readonly command?: number
    readonly family: number
    readonly addresses: readonly number[]
    readonly extensions?: readonly number[]
  },
  announced = addresses.length + extensions.length,
): Buffer {
  const start = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
  const fixed = Buffer.from([command, family, announced >> 8, announced & 255])
  return Buffer.concat([start, fixed, Buffer.from([...addresses, ...extensions])])
}

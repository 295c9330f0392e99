import { crc32 } from 'node:zlib'

const PIECE = 256 * 1024

/** A number that no length in pieces is a multiple of, by chance. */
const PIECES: readonly Buffer[] = Array.from({ length: 31 }, (_, index) => Buffer.alloc(PIECE, index + 1))

/** The same bytes each time, a piece at a time, made up beforehand: what makes them would be measured too. */
export function* artifactPieces(size: number): Generator<Buffer> {
  for (let sent = 0; sent < size; sent += PIECE) {
    const piece = PIECES[(sent / PIECE) % PIECES.length] ?? Buffer.alloc(0)
    yield size - sent < PIECE ? piece.subarray(0, size - sent) : piece
  }
}

/** Length and sum of what passes. CRC-32: it costs a tenth of SHA-256, which would be all that is measured. */
export class Tally {
  bytes = 0
  sum = 0

  add(piece: Buffer): void {
    this.bytes += piece.length
    this.sum = crc32(piece, this.sum)
  }
}

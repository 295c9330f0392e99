import { crc32 } from 'node:zlib'

const PIECE = 256 * 1024

/** The same bytes each time, a piece at a time; pieces differ, so that one lost or sent twice is noticed. */
export function* artifactPieces(size: number): Generator<Buffer> {
  for (let sent = 0; sent < size; sent += PIECE) {
    const piece = Buffer.alloc(Math.min(PIECE, size - sent), sent / PIECE)
    if (piece.length >= 8) piece.writeDoubleBE(sent)
    yield piece
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

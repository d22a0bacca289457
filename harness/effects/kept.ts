// SPDX-License-Identifier: GPL-2.0-only

/** The first bytes of a stream, up to a bound. */
export class KeptBytes {
  truncated = false;
  private readonly pieces: Buffer[] = [];
  private left: number;

  constructor(bytes: number) {
    this.left = bytes;
  }

  add(piece: Buffer): void {
    if (piece.length > this.left) this.truncated = true;
    if (this.left > 0) this.pieces.push(piece.subarray(0, this.left));
    this.left = Math.max(0, this.left - piece.length);
  }

  text(): string {
    return Buffer.concat(this.pieces).toString('utf8');
  }
}

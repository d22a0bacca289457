// SPDX-License-Identifier: GPL-2.0-only
// As much of telnet (RFC 854) as a console server's port needs: what it says between the machine's output is taken out,
// and BREAK can be asked for.

const IAC = 255;
const SB = 250;
const SE = 240;
const WILL = 251;
const DONT = 254;

/** IAC BREAK. */
export const TELNET_BREAK = Buffer.from([IAC, 243]);

type State = 'data' | 'command' | 'option' | 'sub' | 'sub-command';

/** Pieces as they come from the port; a sequence may be cut anywhere. */
export class TelnetText {
  private state: State = 'data';

  /** @returns what the machine printed */
  take(piece: Buffer): Buffer {
    const kept = Buffer.alloc(piece.length);
    let length = 0;
    for (const byte of piece) {
      const literal = this.state === 'data' ? byte !== IAC : this.state === 'command' && byte === IAC;
      if (literal) kept[length++] = byte;
      this.state = next(this.state, byte);
    }
    return kept.subarray(0, length);
  }
}

// --- internal ---

function next(state: State, byte: number): State {
  switch (state) {
    case 'data':
      return byte === IAC ? 'command' : 'data';
    case 'command':
      if (byte === SB) return 'sub';
      return byte >= WILL && byte <= DONT ? 'option' : 'data';
    case 'option':
      return 'data';
    case 'sub':
      return byte === IAC ? 'sub-command' : 'sub';
    default:
      return byte === SE ? 'data' : 'sub';
  }
}

// SPDX-License-Identifier: GPL-2.0-only
// What a command printed, bounded, and how it ended: the same wherever it ran.

const KEEP_BYTES = 1024 * 1024;

export interface RemoteResult {
  command: string;
  exitCode: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
  /** The deadline passed; the channel was closed, the remote process may go on. */
  timedOut: boolean;
  /** The connection broke before the command ended. */
  lost: boolean;
  /** More was printed than is kept. */
  truncated: boolean;
  durationMs: number;
}

/** How a command ended. */
export type Ending = Pick<RemoteResult, 'exitCode' | 'signal' | 'timedOut' | 'lost'>;

/** What a command comes to that printed nothing and ended well, but for what `more` says. */
export function remoteResult(command: string, more: Partial<RemoteResult> = {}): RemoteResult {
  return {
    command,
    exitCode: more.lost === true || more.timedOut === true ? null : 0,
    signal: null,
    stdout: '',
    stderr: '',
    timedOut: false,
    lost: false,
    truncated: false,
    durationMs: 0,
    ...more,
  };
}

/** Collects while the command runs; its time runs from here. */
export class CommandOutput {
  readonly stdout: KeptBytes;
  readonly stderr: KeptBytes;
  private readonly command: string;
  private readonly started = performance.now();

  /** @param keepBytes of each stream; by default 1 MiB */
  constructor(command: string, keepBytes = KEEP_BYTES) {
    this.command = command;
    this.stdout = new KeptBytes(keepBytes);
    this.stderr = new KeptBytes(keepBytes);
  }

  result(ending: Ending): RemoteResult {
    return {
      command: this.command,
      ...ending,
      stdout: this.stdout.text(),
      stderr: this.stderr.text(),
      truncated: this.stdout.truncated || this.stderr.truncated,
      durationMs: performance.now() - this.started,
    };
  }
}

/** The first bytes of a stream, up to a bound. */
class KeptBytes {
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

// SPDX-License-Identifier: GPL-2.0-only
// What a machine prints on its console: kept in a file, bounded, and searchable while it comes.
import { createWriteStream, type WriteStream } from 'node:fs';
import type { Console } from './host.ts';
import { Lines } from './lines.ts';

/** A machine that floods its console fills no disk. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;
const MEMORY_CHARS_MAX = 512 * 1024;

/**
 * What the runner says between the lines of a machine: by its own clock, as a kernel's lines are by the kernel's.
 * @param at when it was
 */
export function consoleNote(at: Date, text: string): Buffer {
  return Buffer.from(`\n[kvm-hil ${at.toISOString()}: ${text}]\n`);
}

export class ConsoleLog implements Console {
  private readonly file: WriteStream;
  private fileLeft = FILE_BYTES_MAX;
  private recent = '';
  private seen = 0;
  private readonly lines = new Lines();

  constructor(file: string) {
    this.file = createWriteStream(file, { flags: 'a' });
    // The console is evidence, not a step that may fail the run; what could not be written is missing there only.
    this.file.on('error', () => {});
  }

  add(piece: Buffer): void {
    const text = piece.toString('latin1');
    if (this.fileLeft > 0) {
      this.file.write(piece.subarray(0, this.fileLeft));
      this.fileLeft -= piece.length;
      if (this.fileLeft <= 0) this.file.write('\n[console cut here: it is over its bound]\n');
    }
    this.seen += text.length;
    this.recent = (this.recent + text).slice(-MEMORY_CHARS_MAX);
    this.lines.take(text);
  }

  position(): number {
    return this.seen;
  }

  since(position: number): string {
    const wanted = this.seen - position;
    return wanted <= 0 ? '' : this.recent.slice(-wanted);
  }

  /** Resolves with the first line that matches. Never rejects, never gives up: the caller races it. */
  nextLine(pattern: RegExp): Promise<string> {
    return this.lines.next(pattern);
  }

  close(): Promise<void> {
    this.lines.forget();
    return new Promise((resolve) => {
      this.file.end(() => resolve());
    });
  }
}

// SPDX-License-Identifier: GPL-2.0-only
// The kernel log of a running machine, followed from its first record over one SSH channel.
import { type Clock, within } from '../effects/clock.ts';
import type { Machine } from '../hosts/host.ts';
import { type KmsgRecord, parseKmsgLine } from '../model/kmsg.ts';

/** Records kept in memory; a machine that floods its log loses the oldest, and the loss is counted. */
const RECORDS_MAX = 100_000;
const LINE_CHARS_MAX = 16 * 1024;
/** `cat` ends when the reader was overtaken (EPIPE); it is started again, so often at the most. */
const RESTARTS_MAX = 50;
const FOREVER_MS = 2 ** 31 - 1;

export interface KmsgLine {
  /** As /dev/kmsg printed it. */
  raw: string;
  record: KmsgRecord;
}

export interface KmsgMark {
  position: number;
  lost: number;
}

export class KmsgStream {
  private readonly lines: KmsgLine[] = [];
  /** Lines that were let go at the front. */
  private dropped = 0;
  private lastSeq = -1;
  private pending = '';
  private lost = 0;
  private stopped = false;
  private readonly waiters = new Set<(line: KmsgLine) => void>();
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Follows the log until the machine is gone or stop() is called. Never rejects. */
  async follow(machine: Machine): Promise<void> {
    for (let starts = 0; starts <= RESTARTS_MAX && !this.stopped; starts++) {
      this.pending = '';
      const result = await machine.exec('exec cat /dev/kmsg', {
        timeoutMs: FOREVER_MS,
        keepBytes: 4096,
        onStdout: (piece) => this.take(piece.toString('utf8')),
      });
      if (result.lost) return;
      await this.clock.sleep(20);
    }
  }

  stop(): void {
    this.stopped = true;
  }

  /** A position to read from later. */
  position(): number {
    return this.dropped + this.lines.length;
  }

  /** Records from one position up to another, or to the last. */
  since(position: number, end = Number.POSITIVE_INFINITY): KmsgLine[] {
    return this.lines.slice(Math.max(0, position - this.dropped), Math.max(0, end - this.dropped));
  }

  /** Records since a position that nobody can read any more: overwritten before they were read, or let go here. */
  lostSince(mark: KmsgMark): number {
    return this.lost - mark.lost + Math.max(0, this.dropped - mark.position);
  }

  /** What lostSince() counts from. */
  mark(): KmsgMark {
    return { position: this.position(), lost: this.lost };
  }

  /** Position of the first record with this text, from `position` on. */
  find(text: string, position: number): number | undefined {
    const first = Math.max(0, position - this.dropped);
    const index = this.lines.findIndex((line, at) => at >= first && line.record.text.includes(text));
    return index < 0 ? undefined : this.dropped + index;
  }

  /** Waits until a record with this text was read, looking back to `position`. False when the time is up. */
  async waitFor(text: string, position: number, timeoutMs: number): Promise<boolean> {
    if (this.since(position).some((line) => line.record.text.includes(text))) return true;
    let waiter: ((line: KmsgLine) => void) | undefined;
    const seen = new Promise<void>((resolve) => {
      waiter = (line) => {
        if (line.record.text.includes(text)) resolve();
      };
      this.waiters.add(waiter);
    });
    const timed = await within(this.clock, timeoutMs, seen);
    if (waiter !== undefined) this.waiters.delete(waiter);
    return !timed.timedOut;
  }

  // --- internal ---

  private take(text: string): void {
    const lines = (this.pending + text).split('\n');
    this.pending = (lines.pop() ?? '').slice(-LINE_CHARS_MAX);
    for (const raw of lines) {
      // Dictionary lines of the record before.
      if (raw === '' || raw.startsWith(' ')) continue;
      const record = parseKmsgLine(raw);
      if (record.seq !== undefined) {
        // A restarted `cat` begins at the oldest record again.
        if (record.seq <= this.lastSeq) continue;
        if (this.lastSeq >= 0) this.lost += record.seq - this.lastSeq - 1;
        this.lastSeq = record.seq;
      }
      const line = { raw, record };
      this.lines.push(line);
      for (const waiter of [...this.waiters]) waiter(line);
    }
    if (this.lines.length > RECORDS_MAX) {
      const over = this.lines.length - RECORDS_MAX / 2;
      this.lines.splice(0, over);
      this.dropped += over;
    }
  }
}

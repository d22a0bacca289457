// SPDX-License-Identifier: GPL-2.0-only
// The kernel log of a running machine, followed from its first record over one SSH channel.
import { type Clock, within } from '../effects/clock.ts';
import type { Machine } from '../hosts/host.ts';
import { type KmsgRecord, parseKmsgLine } from '../model/kmsg.ts';

/** Records and characters kept in memory. Of a flood the beginning and the end stay, and what goes is counted. */
const RECORDS_MAX = 100_000;
const CHARS_MAX = 32 * 1024 * 1024;
const LINE_CHARS_MAX = 16 * 1024;
/** `cat` ends when the reader was overtaken (EPIPE); it is started again, so often at the most. */
const RESTARTS_MAX = 50;
const FOREVER_MS = 2 ** 31 - 1;

export interface KmsgLine {
  /** As /dev/kmsg printed it. */
  raw: string;
  record: KmsgRecord;
  /** Its number in this stream, from 0. */
  position: number;
  /** Records that were overwritten before they could be read, in all, up to this one. */
  overwritten: number;
}

/** A place in the log, and what had been overwritten up to it. */
export interface KmsgMark {
  position: number;
  overwritten: number;
}

export class KmsgStream {
  /** Records that the kernel had overwritten when the log was first read. */
  missed = 0;
  private lines: KmsgLine[] = [];
  private chars = 0;
  private next = 0;
  private lastSeq = -1;
  private pending = '';
  private overwritten = 0;
  private stopped = false;
  private readonly waiters = new Set<(line: KmsgLine) => void>();
  private readonly clock: Clock;
  /** What is before a record with this text belongs to somebody else. */
  private skipTo: string | undefined;

  /** @param from text of the record that it begins with; by default the first one there is */
  constructor(clock: Clock, from?: string) {
    this.clock = clock;
    this.skipTo = from;
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
    return this.next;
  }

  /** Records from one position up to another, or to the last. */
  since(position: number, end = Number.POSITIVE_INFINITY): KmsgLine[] {
    return this.lines.filter((line) => line.position >= position && line.position < end);
  }

  /** Records from a mark up to a position, or to the last, that nobody can read: overwritten, or let go here. */
  lostSince(mark: KmsgMark, end = this.next): number {
    const after = this.lines.find((line) => line.position >= end);
    const overwritten = (after?.overwritten ?? this.overwritten) - mark.overwritten;
    return overwritten + (end - mark.position) - this.since(mark.position, end).length;
  }

  /** What lostSince() counts from. */
  mark(): KmsgMark {
    return { position: this.next, overwritten: this.overwritten };
  }

  /** Nobody will ask for what is before this position. */
  forget(position: number): void {
    this.keep(this.lines.filter((line) => line.position >= position));
  }

  /** Position of the first record with this text, from `position` on. */
  find(text: string, position: number): number | undefined {
    return this.lines.find((line) => line.position >= position && line.record.text.includes(text))?.position;
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
    // It may still be sent to.
    if (this.stopped) return;
    const lines = (this.pending + text).split('\n');
    this.pending = (lines.pop() ?? '').slice(-LINE_CHARS_MAX);
    for (const raw of lines) {
      // Dictionary lines of the record before.
      if (raw === '' || raw.startsWith(' ')) continue;
      const record = parseKmsgLine(raw);
      if (record.seq !== undefined) {
        // A restarted `cat` begins at the oldest record again.
        if (record.seq <= this.lastSeq) continue;
        const gap = record.seq - this.lastSeq - 1;
        if (this.skipTo !== undefined) {
          this.lastSeq = record.seq;
          if (!record.text.includes(this.skipTo)) continue;
          this.skipTo = undefined;
        } else if (this.lastSeq < 0) this.missed = gap;
        else this.overwritten += gap;
        this.lastSeq = record.seq;
      }
      const line = { raw, record, position: this.next++, overwritten: this.overwritten };
      this.lines.push(line);
      this.chars += raw.length;
      for (const waiter of [...this.waiters]) waiter(line);
    }
    while (this.lines.length > RECORDS_MAX || (this.chars > CHARS_MAX && this.lines.length > 1)) this.thin();
  }

  // The beginning of a flood says how it came about, its end what came of it.
  private thin(): void {
    const count = this.lines.length;
    this.keep([...this.lines.slice(0, count >> 2), ...this.lines.slice((count * 3) >> 2)]);
  }

  private keep(lines: KmsgLine[]): void {
    this.lines = lines;
    this.chars = lines.reduce((sum, line) => sum + line.raw.length, 0);
  }
}

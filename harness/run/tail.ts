// SPDX-License-Identifier: GPL-2.0-only
// The part of a kernel log that has one owner, on disk: the boot's until a first case starts, then the last case's until
// the next one starts. It grows until it is handed on.
import { writeWhole } from '../effects/files.ts';
import type { KmsgMark, KmsgStream } from './kmsg-stream.ts';

/** A log on disk; a flood is cut there, and what is cut off counts as lost. */
export const LOG_CHARS_MAX = 8 * 1024 * 1024;

export interface TailOwner {
  /** Undefined: what was logged is nobody's finding, on a machine that was not booted for this run. */
  file: string | undefined;
  /** Where it begins; undefined for the first record that the kernel wrote. */
  from?: KmsgMark;
  /** Its document, where what was lost is on record. */
  record: { lostRecords?: number };
  /** Writes the document again; undefined as long as it has not been written. */
  keep?: () => Promise<void>;
}

export class Tail {
  readonly owner: TailOwner;
  private readonly kmsg: KmsgStream;
  private readonly from: KmsgMark;
  private upTo = 0;

  constructor(kmsg: KmsgStream, owner: TailOwner) {
    this.kmsg = kmsg;
    this.owner = owner;
    this.from = owner.from ?? { position: 0, overwritten: 0 };
    kmsg.forget(this.from.position);
  }

  /** All that is known of it, up to now. */
  texts(): string[] {
    return this.kmsg.since(this.from.position).map((line) => line.record.text);
  }

  /** @param end where the next one's part begins; without it, the tail is everything since */
  async write(end = this.kmsg.position()): Promise<void> {
    const { file, from, record, keep } = this.owner;
    if (file === undefined || end === this.upTo) return;
    this.upTo = end;
    const lines = this.kmsg.since(this.from.position, end);
    const kept: string[] = [];
    let chars = 0;
    for (const { raw } of lines) {
      chars += raw.length + 1;
      if (chars > LOG_CHARS_MAX) break;
      kept.push(`${raw}\n`);
    }
    const lost = this.kmsg.lostSince(this.from, end) + lines.length - kept.length;
    await writeWhole(file, kept.join(''));
    const inAll = lost + (from === undefined ? this.kmsg.missed : 0);
    if (inAll === (record.lostRecords ?? 0)) return;
    record.lostRecords = inAll;
    await keep?.();
  }
}

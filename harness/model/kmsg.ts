// SPDX-License-Identifier: GPL-2.0-only
// Records of /dev/kmsg (Documentation/ABI/testing/dev-kmsg): "prio,seq,usec,flags[,...];text", then continuation
// lines that begin with a space. Parsing never fails; what is not a record is kept as a record without a sequence.

export interface KmsgRecord {
  /** Syslog level, 0 (emergency) to 7 (debug); undefined when the line is not a record. */
  level: number | undefined;
  /** The kernel's own sequence number: gaps are lost records. */
  seq: number | undefined;
  /** Microseconds since boot. */
  us: number | undefined;
  text: string;
}

const HEADER = /^(\d+),(\d+),(\d+),[^;]*;(.*)$/s;

export function parseKmsgLine(line: string): KmsgRecord {
  const match = HEADER.exec(line);
  if (match === null) return { level: undefined, seq: undefined, us: undefined, text: line };
  const [, priority = '0', seq = '0', us = '0', text = ''] = match;
  return { level: Number(priority) & 7, seq: Number(seq), us: Number(us), text: unescapeKmsg(text) };
}

/** All records of a drained log. Dictionary lines (" SUBSYSTEM=...") belong to the record before and are left out. */
export function parseKmsg(log: string): KmsgRecord[] {
  return log
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith(' '))
    .map(parseKmsgLine);
}

/** A console line without its "[   12.345678] " stamp, and without the "[ T123]" of CONFIG_PRINTK_CALLER. */
export function stripConsoleStamp(line: string): string {
  return line.replace(/^(?:<\d+>)?\[\s*\d+\.\d+\](?:\[\s*[TC]\d+\])?\s?/, '').replace(/\r$/, '');
}

/** Sequence numbers that are missing between neighbours: records that the ring buffer dropped before they were read. */
export function lostRecords(records: readonly KmsgRecord[]): number {
  let lost = 0;
  let last: number | undefined;
  for (const { seq } of records) {
    if (seq === undefined) continue;
    if (last !== undefined && seq > last + 1) lost += seq - last - 1;
    last = seq;
  }
  return lost;
}

// --- internal ---

// The kernel writes unprintable bytes, those of UTF-8 too, and the backslash itself, as \xNN.
function unescapeKmsg(text: string): string {
  return text.replace(/(?:\\x[0-9a-f]{2})+/gi, (escapes) => {
    const bytes = escapes.slice(2).split(/\\x/i);
    return new TextDecoder().decode(Uint8Array.from(bytes, (hex) => Number.parseInt(hex, 16)));
  });
}

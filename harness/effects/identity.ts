// SPDX-License-Identifier: GPL-2.0-only
// Which process of which machine somebody is, so that it can be proven to be gone. A process number alone proves nothing:
// numbers come back, and another container has its own.
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

export interface ProcessIdentity {
  /** Of this installation of a system: /etc/machine-id, else its name. */
  machine: string;
  /** Of its present boot. */
  boot: string;
  /** Its name space of process numbers. */
  space: string;
  pid: number;
  /** When it was started, in ticks since the boot. */
  start: number;
}

let own: ProcessIdentity | undefined;

export function thisProcess(): ProcessIdentity {
  own ??= {
    machine: oneLine('/etc/machine-id') ?? hostname(),
    boot: oneLine('/proc/sys/kernel/random/boot_id') ?? '',
    space: linkOf('/proc/self/ns/pid') ?? '',
    pid: process.pid,
    start: startOf(process.pid) ?? 0,
  };
  return own;
}

/** False also when nothing can be said about it from here. */
export function isProvablyGone(one: ProcessIdentity): boolean {
  const here = thisProcess();
  if (one.machine !== here.machine || here.boot === '') return false;
  if (one.boot !== here.boot) return true;
  if (one.space !== here.space || one.space === '') return false;
  return startOf(one.pid) !== one.start;
}

/** As one line of words. */
export function identityLine(one: ProcessIdentity): string {
  return [one.machine, one.boot, one.space, one.pid, one.start].join(' ');
}

export function parseIdentity(line: string): ProcessIdentity | undefined {
  const [machine = '', boot = '', space = '', pid = '', start = '', ...more] = line.split(' ');
  const numbers = /^\d{1,15}$/.test(pid) && /^\d{1,20}$/.test(start);
  if (machine === '' || boot === '' || !numbers || more.length > 0) return undefined;
  return { machine, boot, space, pid: Number(pid), start: Number(start) };
}

// --- internal ---

// Field 22; the second is the name in brackets, which may hold anything. A zombie does nothing any more.
function startOf(pid: number): number | undefined {
  const text = oneLine(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : Number(fields[19]);
}

function oneLine(file: string): string | undefined {
  try {
    const text = readFileSync(file, 'utf8').trim();
    return text === '' ? undefined : text;
  } catch {
    return undefined;
  }
}

function linkOf(file: string): string | undefined {
  try {
    return readlinkSync(file);
  } catch {
    return undefined;
  }
}

// SPDX-License-Identifier: GPL-2.0-only
// Which process of which machine somebody is, so that it can be proven to be gone. A process number alone proves nothing:
// numbers come back, and another container has its own.
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

export interface ProcessIdentity {
  /** /etc/machine-id, which copies of an installation share, and its name. */
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
    machine: `${oneLine('/etc/machine-id') ?? ''}@${hostname()}`,
    boot: oneLine('/proc/sys/kernel/random/boot_id') ?? '',
    space: linkOf('/proc/self/ns/pid') ?? '',
    pid: process.pid,
    start: startIn(statOf(process.pid) ?? []) || 0,
  };
  return own;
}

/** False also when nothing can be said about it from here. */
export function isProvablyGone(one: ProcessIdentity): boolean {
  const here = thisProcess();
  if (one.machine !== here.machine || here.boot === '') return false;
  if (one.boot !== here.boot) return true;
  if (one.space !== here.space || one.space === '') return false;
  return hasEnded(one.pid, one.start);
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

// /proc may hide what others run. A zombie does nothing any more.
function hasEnded(pid: number, start: number): boolean {
  const fields = statOf(pid);
  if (fields === undefined) return isNoProcess(pid);
  return fields[0] === 'Z' || fields[0] === 'X' || startIn(fields) !== start;
}

// What comes behind the name in brackets, which may hold anything: from field 3 on.
function statOf(pid: number): string[] | undefined {
  const text = oneLine(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

function startIn(fields: readonly string[]): number {
  return Number(fields[19]);
}

function isNoProcess(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
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

// SPDX-License-Identifier: GPL-2.0-only
// A file onto the machine, whole or not at all: it gets its name once what has arrived has the hash of what was sent.
import { createHash } from 'node:crypto';
import path from 'node:path';
import type { RemoteResult, SshLink } from '../../effects/ssh.ts';

export interface SendOptions {
  timeoutMs: number;
  /** In front of it, HeldLease.guard(). */
  guard?: string;
  /** Of the file, as chmod takes it; without it, as the machine makes files. */
  mode?: string;
}

/** SHA-256, in hex. */
export function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Shell command: whether this file is there with this hash. */
export function isWhole(file: string, hash: string): string {
  return `[ "$(sha256sum <${file} | cut -c 1-64)" = ${hash} ]`;
}

/** @param place absolute, of words that a shell takes as they are. A status other than 0 is a result. */
export function sendWhole(
  link: SshLink,
  content: Buffer,
  place: string,
  { timeoutMs, guard = '', mode }: SendOptions,
): Promise<RemoteResult> {
  const folder = path.posix.dirname(place);
  const part = `${folder}/.${path.posix.basename(place)}.part`;
  const steps = [
    `mkdir -p ${folder}`,
    `cat >${part}`,
    // Before it has its name: what is there after a power cut is believed.
    `sync ${part}`,
    isWhole(part, sha256(content)),
    ...(mode === undefined ? [] : [`chmod ${mode} ${part}`]),
    `mv -f ${part} ${place}`,
  ];
  const receive = `${guard}${steps.join(' && ')} || { rm -f ${part}; exit 1; }`;
  return link.exec(receive, { timeoutMs, input: content });
}

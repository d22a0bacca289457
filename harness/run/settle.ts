// SPDX-License-Identifier: GPL-2.0-only
// What a case left running in the kernel may still report or kill after its end: grace periods, work queues, leaks.
import { randomBytes } from 'node:crypto';
import type { Machine } from '../hosts/host.ts';
import type { Death } from '../model/verdict.ts';
import type { KmsgStream } from './kmsg-stream.ts';

const DRAIN_MS = 2000;

/** Waits for all that, with the kernel log read up to there. @returns how the machine ended, when it did */
export async function settle(
  machine: Machine,
  kmsg: KmsgStream,
  timeoutMs: number,
): Promise<Death | undefined> {
  const marker = `kvm-hil: settled ${randomBytes(6).toString('hex')}`;
  const from = kmsg.position();
  const settled = machine.exec(`${machine.program} --settle; echo '<7>${marker}' >/dev/kmsg`, { timeoutMs });
  const drained = settled.then(async (result) => {
    if (!result.timedOut) await kmsg.waitFor(marker, from, DRAIN_MS);
    return result;
  });
  const last = await Promise.race([drained, machine.died]);
  if ('kind' in last) return last;
  if (!last.timedOut) return undefined;
  return { kind: 'silent', detail: 'the host stopped answering after its last case' };
}

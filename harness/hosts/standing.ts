// SPDX-License-Identifier: GPL-2.0-only
// Where the processors of an embedded machine stand that says nothing any more: its registers, asked of QEMU, and the
// functions that they are in, read from the symbols of its kernel. For a hang before the console is up it is all there is.
import { type Clock, within } from '../effects/clock.ts';
import { exec } from '../effects/exec.ts';
import type { Qmp } from './qmp.ts';

/** A QEMU that is stuck itself answers nothing. */
const ANSWER_MS = 3000;

/** One line a processor: `CPU 0 stands at kvm_gmem_init+0x1f`. Empty when QEMU does not answer. Never throws. */
export async function whereItStands(clock: Clock, qmp: Qmp, vmlinux: string): Promise<string[]> {
  const asked = await within(
    clock,
    ANSWER_MS,
    qmp.monitor('info registers -a').catch(() => ''),
  );
  const places = instructionPointers(asked.timedOut ? '' : asked.value);
  const names = await symbolsAt(vmlinux, [...places.values()]).catch(() => new Map<string, string>());
  return [...places].map(([cpu, at]) => `CPU ${cpu} stands at ${names.get(at) ?? `0x${at}`}`);
}

/** By processor, as 16 hex digits, from what QEMU's `info registers -a` prints. */
export function instructionPointers(registers: string): Map<number, string> {
  const found = new Map<number, string>();
  for (const part of registers.split(/^CPU#/m).slice(1)) {
    const at = /\bRIP=([0-9a-f]{16})\b/.exec(part)?.[1];
    if (at !== undefined) found.set(Number.parseInt(part, 10), at);
  }
  return found;
}

/** What `nm -n` says of these addresses; 16 hex digits each, which sort as numbers do. */
export function symbolFinder(addresses: readonly string[]): {
  line: (text: string) => void;
  found: Map<string, string>;
} {
  const found = new Map<string, string>();
  return {
    found,
    line: (text) => {
      const [, start = '', name = ''] = /^([0-9a-f]{16}) [tTwW] (\S+)$/.exec(text) ?? [];
      if (start === '') return;
      for (const at of addresses) {
        if (at >= start)
          found.set(at, `${name}+0x${(BigInt(`0x${at}`) - BigInt(`0x${start}`)).toString(16)}`);
      }
    },
  };
}

// --- internal ---

async function symbolsAt(vmlinux: string, addresses: readonly string[]): Promise<Map<string, string>> {
  // User space is below: no symbol of the kernel says anything of it.
  const finder = symbolFinder(addresses.filter((at) => at.startsWith('ffffffff')));
  if (addresses.length > 0)
    await exec('nm', ['-n', vmlinux], { onLine: finder.line, timeoutMs: 10 * ANSWER_MS });
  return finder.found;
}

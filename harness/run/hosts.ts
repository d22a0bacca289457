// SPDX-License-Identifier: GPL-2.0-only
// Hosts by name. `qemu` and `local` are always there.
import { readFile } from 'node:fs/promises';
import { realClock } from '../effects/clock.ts';
import { inCache } from '../effects/dirs.ts';
import { exec } from '../effects/exec.ts';
import { readIfThere, writeWhole } from '../effects/files.ts';
import { UsageError } from '../errors.ts';
import type { Host } from '../hosts/host.ts';
import { localHost } from '../hosts/local.ts';
import { qemuHost } from '../hosts/qemu.ts';

export const HOST_NAMES = ['qemu', 'local'] as const;

/** Hosts that run the kernel that is on them already. */
export function bootsNothing(name: string): boolean {
  return name === 'local';
}

/** @throws UsageError `unknown-host` */
export function checkHostNames(names: readonly string[]): void {
  for (const name of names) {
    if ((HOST_NAMES as readonly string[]).includes(name)) continue;
    throw new UsageError({
      code: 'unknown-host',
      message: `there is no host ${name}`,
      hint: `hosts: ${HOST_NAMES.join(', ')}`,
    });
  }
}

/**
 * Opens hosts by name. What an embedded host needs to know of this machine is asked of kvm-cases.
 * @param slowKernel the kernel is built with the debug fragment
 */
export async function openHosts(
  names: readonly string[],
  program: string,
  slowKernel: boolean,
): Promise<Host[]> {
  checkHostNames(names);
  if (names.every(bootsNothing)) return names.map(localHost);
  const nestedKvm = await offersNesting(program);
  const tscKhz = await tscFrequency(program);
  return names.map((name) =>
    bootsNothing(name)
      ? localHost(name)
      : qemuHost({ name, clock: realClock, nestedKvm, tscKhz, slowKernel }),
  );
}

/**
 * TSC frequency of this machine in kHz; undefined when it could not be measured.
 * Measured once a boot of this machine: it takes a moment, and does not change.
 */
export async function tscFrequency(program: string): Promise<number | undefined> {
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const file = inCache('tsc-khz');
  const [knownBoot, known] = ((await readIfThere(file)) ?? '').split(' ');
  if (knownBoot === boot && Number(known) > 0) return Number(known);
  const answer = await exec(program, ['--tsc-khz'], { timeoutMs: FACTS_TIMEOUT_MS });
  if (answer.failed) return undefined;
  const measured = (JSON.parse(answer.stdout) as { tsc_khz?: unknown }).tsc_khz;
  if (typeof measured !== 'number' || measured <= 0) return undefined;
  await writeWhole(file, `${boot} ${Math.round(measured)}`);
  return Math.round(measured);
}

// --- internal ---

const FACTS_TIMEOUT_MS = 20_000;

// KVM says so itself, by the CPUID that it supports for guests; a readable /dev/kvm alone says nothing.
async function offersNesting(program: string): Promise<boolean> {
  const answer = await exec(program, ['--facts'], { timeoutMs: FACTS_TIMEOUT_MS });
  if (answer.failed) return false;
  const facts = JSON.parse(answer.stdout) as { kvm?: unknown; nested?: unknown };
  return facts.kvm === true && facts.nested === true;
}

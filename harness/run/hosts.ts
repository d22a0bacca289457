// SPDX-License-Identifier: GPL-2.0-only
// Hosts by name. `qemu` and `local` are always there, the others are machines of the inventory.
import { readFile } from 'node:fs/promises';
import { realClock } from '../effects/clock.ts';
import { inCache } from '../effects/dirs.ts';
import { exec } from '../effects/exec.ts';
import { readIfThere, writeWhole } from '../effects/files.ts';
import type { Host } from '../hosts/host.ts';
import { localHost } from '../hosts/local.ts';
import { metalHost } from '../hosts/metal/metal.ts';
import { qemuHost } from '../hosts/qemu.ts';
import type { BootMethod } from '../model/lab.ts';
import { chooseHosts, isBuiltIn, letThemHang, readLabs, unknownHost } from './labs.ts';

/** Hosts that run the kernel that is on them already. */
export function bootsNothing(name: string): boolean {
  return name === 'local';
}

export interface OpenHow {
  /** They are taken from whoever has leased them. */
  take?: boolean | undefined;
  /** Those that are open already: leased when they were chosen. */
  picked?: ReadonlyMap<string, Host> | undefined;
  /** How they are booted, instead of what the inventory prefers. */
  method?: BootMethod | undefined;
  /** They may be such as nothing could bring back. */
  unattendedOk?: boolean | undefined;
}

/**
 * Opens hosts by name. What an embedded host needs to know of this machine is asked of kvm-cases.
 * @param slowKernel the kernel is built with the debug fragment
 * @param how for machines of the inventory
 */
export async function openHosts(
  names: readonly string[],
  program: string,
  slowKernel: boolean,
  { take = false, picked = new Map(), method, unattendedOk = false }: OpenHow = {},
): Promise<Host[]> {
  const labs = names.every(isBuiltIn) ? [] : await readLabs();
  if (unattendedOk) letThemHang(labs);
  const embedded = names.some((name) => isBuiltIn(name) && !bootsNothing(name));
  const nestedKvm = embedded && (await offersNesting(program));
  const tscKhz = embedded ? await tscFrequency(program) : undefined;
  return names.map((name) => {
    const known = picked.get(name);
    if (known !== undefined) return known;
    if (bootsNothing(name)) return localHost(name);
    if (isBuiltIn(name)) return qemuHost({ name, clock: realClock, nestedKvm, tscKhz, slowKernel });
    const [host] = chooseHosts(labs, [name]);
    if (host === undefined) throw unknownHost([name], labs);
    return metalHost({ clock: realClock, host, take, method });
  });
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

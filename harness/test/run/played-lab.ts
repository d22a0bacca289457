// SPDX-License-Identifier: GPL-2.0-only
// A lab in memory: machines that are played, on one simulated clock, and whole runs on them through the driver for metal.
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../../effects/clock.ts';
import type { Host } from '../../hosts/host.ts';
import { metalHost } from '../../hosts/metal/metal.ts';
import { PlayedMachine } from '../hosts/metal/played-machine.ts';
import { buildIdOf } from '../hosts/metal/played-modules.ts';
import type { PlayedSetup } from '../hosts/metal/played-setup.ts';
import { simClock } from '../sim-clock.ts';
import { withTemp } from '../temp.ts';
import { BAD, FACTS, type FlowSetup, GOOD } from './fixture.ts';

export interface PlayedLab {
  clock: Clock;
  folder: string;
  machine(name: string, more?: Partial<PlayedSetup>): PlayedMachine;
  /** A run on these machines, with images that each of them can tell apart. */
  setup(machines: readonly PlayedMachine[], wrap?: (host: Host) => Host): FlowSetup & Workshopped;
}

type Workshopped = { workshop: NonNullable<FlowSetup['workshop']> };

/** Its state folder is its own, and goes with it. */
export async function withLab<T>(use: (lab: PlayedLab) => Promise<T>): Promise<T> {
  return withTemp(async (folder) => {
    const before = process.env['XDG_STATE_HOME'];
    process.env['XDG_STATE_HOME'] = path.join(folder, 'state');
    const clock = simClock(true);
    try {
      return await use({
        clock,
        folder,
        machine: (name, more = {}) =>
          new PlayedMachine({
            name,
            clock,
            folder,
            script: { facts: FACTS, case: (id) => (id === 'self/fail' ? BAD : GOOD) },
            ...more,
          }),
        setup: (machines, wrap = (host) => host) => ({
          clock,
          hosts: {
            names: machines.map(({ host }) => host.name),
            open: async () => machines.map(({ host }) => wrap(metalHost({ clock, host }))),
          },
          workshop: workshopIn(folder),
        }),
      });
    } finally {
      if (before === undefined) delete process.env['XDG_STATE_HOME'];
      else process.env['XDG_STATE_HOME'] = before;
    }
  });
}

// --- internal ---

function workshopIn(folder: string): NonNullable<FlowSetup['workshop']> {
  return {
    image: async (role, commit) => {
      const release = `7.3.0-kvmhil-${role}`;
      const bzImage = path.join(folder, `image-${role}`);
      await writeFile(bzImage, release);
      const vermagic = `${release} SMP preempt mod_unload modversions `;
      const modules = ['kvm', 'kvm_amd', 'kvm_intel'].map((name) => {
        const content = `${name} of ${role}`;
        const file = path.join(folder, `${name}-${role}.ko`);
        const hash = createHash('sha256').update(content).digest('hex');
        return { content, module: { name, file, hash, vermagic, buildId: buildIdOf(content) } };
      });
      for (const { content, module } of modules) await writeFile(module.file, content);
      const inParts = { core: 'the same', modules: modules.map(({ module }) => module) };
      const none = { config: '', compiler: 'none', unknownSymbols: [], cached: true };
      return { ...none, ...inParts, hash: role, release, vmlinux: bzImage, bzImage, commit };
    },
    program: async () => {
      const file = path.join(folder, 'kvm-cases');
      await writeFile(file, 'a program');
      return { file, hash: 'p', cached: true };
    },
  };
}

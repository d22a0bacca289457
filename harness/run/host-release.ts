// SPDX-License-Identifier: GPL-2.0-only
// Gives a machine of the inventory back: its lease is taken over where that is allowed, it comes home, the lease is dropped.
import type { Clock } from '../effects/clock.ts';
import { isOurs } from '../hosts/metal/home.ts';
import { metalHost } from '../hosts/metal/metal.ts';
import type { LabHost } from '../model/lab.ts';
import { lookAtHosts } from './host-check.ts';

export interface ReleaseOptions {
  clock: Clock;
  /** Though its holder goes on. */
  take: boolean;
  onWait: (holder: string) => void;
  signal: AbortSignal;
}

/**
 * @returns what was done, in a few words
 * @throws InfraError `leased` when its holder goes on, `host-bad` when it does not come home
 */
export async function releaseHost(host: LabHost, o: ReleaseOptions): Promise<string> {
  const { clock, take, onWait, signal } = o;
  const [report] = await lookAtHosts(clock, [host]);
  const release = report?.survey?.get('release');
  const { lease } = report ?? {};
  if (lease?.held === false && release !== undefined && !isOurs(release))
    return 'nobody has it, and it runs its own kernel';
  const metal = metalHost({ clock, host, take, orphans: true, anyState: true });
  const held = await metal.lease?.({ purpose: 'kvm-hil hosts release', onWait, signal });
  await held?.release();
  const home = isOurs(release) ? `brought home from ${release}, ` : '';
  return `${home}given back${lease?.held === true ? ` for ${lease.owner}` : ''}`;
}

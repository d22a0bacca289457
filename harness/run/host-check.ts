// SPDX-License-Identifier: GPL-2.0-only
// Looks at machines of the inventory without changing anything: reachable, who has it, what it lacks.
import type { Clock } from '../effects/clock.ts';
import type { SshLink } from '../effects/ssh.ts';
import { HilError, InterruptedError } from '../errors.ts';
import { clearBad } from '../hosts/metal/bad.ts';
import { isOurs } from '../hosts/metal/home.ts';
import { readLease } from '../hosts/metal/lease.ts';
import { reach, survey } from '../hosts/metal/reach.ts';
import type { LabHost } from '../model/lab.ts';
import type { LeaseState } from '../model/lease.ts';
import { type Lack, lacksOf, type Survey } from '../model/survey.ts';
import { forEachAtOnce } from './at-once.ts';

export interface HostReport {
  host: LabHost;
  /** Why it cannot be looked at. */
  error?: HilError;
  survey?: Survey;
  lease?: LeaseState;
  lacks: Lack[];
}

/** @returns in the order of `hosts`; what goes wrong with one is in its report */
export async function checkHosts(clock: Clock, hosts: readonly LabHost[]): Promise<HostReport[]> {
  return forEachAtOnce(hosts, (host) => checkHost(clock, host));
}

/** Nothing is in the way of booting kernels there. Somebody may have it. */
export function isReady({ error, lacks }: HostReport): boolean {
  return error === undefined && lacks.length === 0;
}

/** @throws InfraError `no-survey` */
export async function lookAt(
  clock: Clock,
  host: LabHost,
  link: SshLink,
): Promise<{ found: Survey; lacks: Lack[] }> {
  const asked = clock.wall().getTime();
  const found = await survey(host, link);
  const ours = (asked + clock.wall().getTime()) / 2000;
  const theirs = Number(found.get('seconds') ?? Number.NaN);
  return { found, lacks: lacksOf(found, host, Number.isFinite(theirs) ? theirs - ours : 0) };
}

// --- internal ---

async function checkHost(clock: Clock, host: LabHost): Promise<HostReport> {
  try {
    const link = await reach(host);
    try {
      const { found, lacks } = await lookAt(clock, host, link);
      // Somebody has looked, and it is as it should be.
      if (lacks.length === 0 && !isOurs(found.get('release'))) await clearBad(host);
      return { host, survey: found, lease: await readLease(host, link), lacks };
    } finally {
      link.close();
    }
  } catch (error) {
    if (!(error instanceof HilError) || error instanceof InterruptedError) throw error;
    return { host, error, lacks: [] };
  }
}

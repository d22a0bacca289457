// SPDX-License-Identifier: GPL-2.0-only
// Looks at machines of the inventory without changing anything: reachable, who has it, what it lacks.
import type { Clock } from '../effects/clock.ts';
import { HilError, InterruptedError } from '../errors.ts';
import { clearBad } from '../hosts/metal/bad.ts';
import { isOurs } from '../hosts/metal/home.ts';
import { readLease } from '../hosts/metal/lease.ts';
import { reach, survey } from '../hosts/metal/reach.ts';
import type { LabHost } from '../model/lab.ts';
import type { LeaseState } from '../model/lease.ts';
import { type Lack, lacksOf, type Survey } from '../model/survey.ts';

export interface HostReport {
  host: LabHost;
  /** Why it cannot be looked at. */
  error?: HilError;
  survey?: Survey;
  lease?: LeaseState;
  lacks: Lack[];
}

/** Machines that are looked at side by side. */
const AT_ONCE_MAX = 16;

/** @returns in the order of `hosts`; what goes wrong with one is in its report */
export async function checkHosts(clock: Clock, hosts: readonly LabHost[]): Promise<HostReport[]> {
  const reports: HostReport[] = [];
  const left = [...hosts.entries()];
  const worker = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift())
      reports[next[0]] = await checkHost(clock, next[1]);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE_MAX, hosts.length) }, worker));
  return reports;
}

// --- internal ---

async function checkHost(clock: Clock, host: LabHost): Promise<HostReport> {
  try {
    const link = await reach(host);
    try {
      const asked = clock.wall().getTime();
      const found = await survey(host, link);
      const ours = (asked + clock.wall().getTime()) / 2000;
      const theirs = Number(found.get('seconds') ?? Number.NaN);
      const off = Number.isFinite(theirs) ? theirs - ours : 0;
      const lacks = lacksOf(found, host, off);
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

// SPDX-License-Identifier: GPL-2.0-only
// Looks at machines of the inventory without changing them: reachable, who has it, what it lacks, whether it is marked bad.
import type { Clock } from '../effects/clock.ts';
import type { SshLink } from '../effects/ssh.ts';
import { HilError, InterruptedError } from '../errors.ts';
import { clearBad, whyBad } from '../hosts/metal/bad.ts';
import { isOurs } from '../hosts/metal/home.ts';
import { isAbandoned, readLease } from '../hosts/metal/lease.ts';
import { powerLacks } from '../hosts/metal/power.ts';
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
  /** Who has the lease was a process of this machine that is gone. */
  abandoned?: boolean;
  lacks: Lack[];
  /** Why it is marked bad. */
  bad?: string;
  /** Why it was, until this look. */
  cleared?: string;
}

/** @returns in the order of `hosts`; what goes wrong with one is in its report */
export async function lookAtHosts(clock: Clock, hosts: readonly LabHost[]): Promise<HostReport[]> {
  return forEachAtOnce(hosts, (host) => lookAtHost(clock, host));
}

/** The same for somebody who wants to know: a mark is taken away from those that are as they should be. */
export async function checkHosts(clock: Clock, hosts: readonly LabHost[]): Promise<HostReport[]> {
  return forEachAtOnce(hosts, async (host) => {
    const report = await lookAtHost(clock, host);
    const { bad, ...well } = report;
    if (bad === undefined || !isReady(well) || isOurs(well.survey?.get('release'))) return report;
    await clearBad(host);
    return { ...well, cleared: bad };
  });
}

/** Nobody has it, or nobody any more. */
export function isFree({ lease, abandoned }: HostReport): boolean {
  return lease?.held !== true || abandoned === true;
}

/** Nothing is in the way of booting kernels there. Somebody may have it. */
export function isReady({ error, lacks, bad }: HostReport): boolean {
  return error === undefined && lacks.length === 0 && bad === undefined;
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
  const offSeconds = Number.isFinite(theirs) ? theirs - ours : 0;
  return { found, lacks: [...lacksOf(found, host, offSeconds), ...powerLacks(host)] };
}

// --- internal ---

async function lookAtHost(clock: Clock, host: LabHost): Promise<HostReport> {
  const why = await whyBad(host);
  const bad = why === undefined ? {} : { bad: why };
  try {
    const link = await reach(host);
    try {
      const { found, lacks } = await lookAt(clock, host, link);
      const lease = await readLease(host, link);
      const abandoned = lease.held && (await isAbandoned(host, lease));
      return { host, survey: found, lease, abandoned, lacks, ...bad };
    } finally {
      link.close();
    }
  } catch (error) {
    if (!(error instanceof HilError) || error instanceof InterruptedError) throw error;
    return { host, error, lacks: [], ...bad };
  }
}

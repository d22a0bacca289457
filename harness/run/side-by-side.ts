// SPDX-License-Identifier: GPL-2.0-only
// The hosts of a run: leased before anything is asked of them, used side by side, given back one by one.
import path from 'node:path';
import type { RunDir } from '../effects/run-dir.ts';
import { cannotWrite, HilError, InterruptedError, UsageError } from '../errors.ts';
import type { Host } from '../hosts/host.ts';
import type { EventSink } from '../model/events.ts';
import { unitId } from '../model/plan.ts';
import type { KernelRole } from '../model/result.ts';
import type { BootRecord, RunRecord, SelfCheckRecord } from '../model/run.ts';
import { readBoots } from './judge-kernel.ts';
import { type Lease, takeLease } from './lease.ts';
import { errorRecord } from './records.ts';
import type { Standing } from './resume.ts';

export interface LeaseHostsOptions {
  run: RunDir;
  record: RunRecord;
  /** Of a run that was begun before. */
  standing?: Standing;
  sink: EventSink;
  signal: AbortSignal;
}

export interface LeasedHost {
  host: Host;
  lease: Lease;
}

/**
 * Leases the hosts that have something left to do, all at once: each may have to be waited for. One that is not to be had, or
 * says that it cannot run here, is on record as a boot that failed.
 * @throws HilError when none is to be had for a run that has not begun: nothing is built then. Else what a user got wrong,
 *   and interruptions; no host stays leased
 */
export async function leaseHosts(o: LeaseHostsOptions, hosts: readonly Host[]): Promise<LeasedHost[]> {
  const wanted: Host[] = [];
  for (const host of hosts) if ((await rolesLeft(o, host)).length > 0) wanted.push(host);
  const tried = await Promise.all(wanted.map((host) => tryHost(o, host)));
  const leased = tried.flatMap((one) => (one.leased === undefined ? [] : [one.leased]));
  try {
    const errors = tried.flatMap((one) => (one.error === undefined ? [] : [one.error]));
    const final = errors.find((error) => endsTheRun(error) || error instanceof UsageError);
    if (final !== undefined) throw final;
    if (leased.length === 0 && o.standing === undefined && errors.length > 0) throw errors[0];
    for (const { host, error } of tried) if (error instanceof HilError) await recordFailed(o, host, error);
    return leased;
  } catch (error) {
    await Promise.all(leased.map(({ lease }) => lease.release()));
    throw error;
  }
}

/**
 * Does `use` with each host at the same time, and gives it back as soon as it is over there. What ends the run on one host is
 * told to the others, and thrown once all have stopped.
 */
export async function onHosts(
  leased: readonly LeasedHost[],
  signal: AbortSignal,
  use: (one: LeasedHost, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  let first: unknown;
  const useOne = async (one: LeasedHost) => {
    try {
      await use(one, either);
    } catch (error) {
      first ??= error;
      stop.abort();
    } finally {
      await one.lease.release();
    }
  };
  await Promise.all(leased.map(useOne));
  if (first !== undefined) throw first;
}

/** What ends a run as a whole, and is no trouble of one host. */
export function endsTheRun(error: unknown): boolean {
  return !(error instanceof HilError) || error instanceof InterruptedError || cannotWrite(error);
}

export async function wasSound(o: Pick<LeaseHostsOptions, 'run'>, host: Host): Promise<boolean | undefined> {
  const file = o.run.path('hosts', host.name, 'self-check.json');
  return (await o.run.readIfThere<SelfCheckRecord>('self-check', file))?.ok;
}

// --- internal ---

interface Tried {
  host: Host;
  leased?: LeasedHost;
  error?: unknown;
}

async function tryHost(o: LeaseHostsOptions, host: Host): Promise<Tried> {
  let lease: Lease | undefined;
  try {
    lease = await takeLease(host, o.sink, o.signal, { run: o.run.root });
    // What cannot run here at all says so before a kernel is built for it.
    await host.traits();
    return { host, leased: { host, lease } };
  } catch (error) {
    await lease?.release();
    return { host, error };
  }
}

/** Kernels that still have something to do on a host. */
async function rolesLeft({ record, standing, run }: LeaseHostsOptions, host: Host): Promise<KernelRole[]> {
  const roles: KernelRole[] = record.series === null ? ['base'] : ['base', 'series'];
  const sound = (await wasSound({ run }, host)) !== undefined;
  return roles.filter((role) => {
    const planned = record.units.filter((unit) => unit.host === host.name && unit.kernel === role);
    const left = planned.filter((unit) => standing?.done.has(unitId(unit)) !== true);
    return left.length > 0 || planned.length === 0 || !sound;
  });
}

async function recordFailed(o: LeaseHostsOptions, host: Host, error: HilError): Promise<void> {
  o.sink({ type: 'note', text: `${host.name}: ${error.message}` });
  for (const role of await rolesLeft(o, host)) {
    const boot = (await readBoots(o.run, host.name, role)).length + 1;
    const failed: BootRecord = {
      boot,
      state: 'failed',
      ms: 0,
      how: [],
      why: 'first boot',
      error: errorRecord(error),
    };
    await o.run.write('boot', path.join(o.run.host(host.name, role), `boot-${boot}.json`), failed);
  }
}

// SPDX-License-Identifier: GPL-2.0-only
// Keeps a lease while the working loop goes on. Who stands still loses the machine.
import type { Clock } from '../../effects/clock.ts';
import type { SshLink } from '../../effects/ssh.ts';
import { InfraError } from '../../errors.ts';
import { REFRESH_MS } from '../../model/lease.ts';
import type { HeldLease } from './lease.ts';
import type { Work } from './work.ts';

export interface KeepOptions {
  clock: Clock;
  work: Work;
  lease: () => HeldLease | undefined;
  /** Undefined while the machine cannot be told. */
  link: () => SshLink | undefined;
  stop: AbortSignal;
}

/** Returns when it is told to stop, or the lease is somebody else's: its link is closed then. */
export async function keepLease({ clock, work, lease, link, stop }: KeepOptions): Promise<void> {
  while (!stop.aborted) {
    await clock.sleep(REFRESH_MS, stop).catch(() => {});
    const held = lease();
    if (stop.aborted || held === undefined || !work.goesOn()) continue;
    const to = link();
    await (to === undefined ? held.refreshCopy() : held.refresh(to)).catch((error: unknown) => {
      // The machine is somebody else's: nothing of ours goes on there.
      if (held.lost !== undefined) to?.close();
      else if (!(error instanceof InfraError)) throw error;
    });
    if (held.lost !== undefined) return;
  }
}

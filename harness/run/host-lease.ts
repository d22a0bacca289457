// SPDX-License-Identifier: GPL-2.0-only
// Work on a machine of the inventory that is no run: it is leased while it is under way, and only that long.
import type { Clock } from '../effects/clock.ts';
import type { SshLink } from '../effects/ssh.ts';
import { keepLease } from '../hosts/metal/keep.ts';
import { guarded, type HeldLease, takeLease } from '../hosts/metal/lease.ts';
import { reach } from '../hosts/metal/reach.ts';
import { Work } from '../hosts/metal/work.ts';
import type { LabHost } from '../model/lab.ts';

export interface HandsOn {
  clock: Clock;
  /** For others who want it. */
  purpose: string;
  /** Though somebody else has it. */
  take: boolean;
  /** How long it may take at most. */
  msMax: number;
  signal: AbortSignal;
}

/**
 * Leases a machine that nobody has, or that a process of this machine left that is gone.
 * @param use gets a link whose every command is refused once the lease is somebody else's
 * @throws InfraError `leased`, `lease-lost`, `ssh-failed`, `host-key`
 */
export async function withMachine<T>(
  host: LabHost,
  { clock, purpose, take, msMax, signal }: HandsOn,
  use: (link: SshLink, lease: HeldLease) => Promise<T>,
): Promise<T> {
  const link = await reach(host);
  const stop = new AbortController();
  let keeping: Promise<void> | undefined;
  let lease: HeldLease | undefined;
  try {
    const terms = { clock, purpose, force: take, waitMs: 0, onlyFree: true, orphan: true, signal };
    const held = await takeLease(host, link, terms);
    lease = held;
    const work = new Work(clock);
    keeping = keepLease({ clock, work, lease: () => held, link: () => link, stop: stop.signal });
    return await work.step(msMax, () => use(guarded(link, held), held));
  } finally {
    stop.abort();
    await keeping;
    if (lease !== undefined && lease.lost === undefined) await lease.drop(link);
    link.close();
  }
}

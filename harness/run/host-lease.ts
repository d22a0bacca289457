// SPDX-License-Identifier: GPL-2.0-only
// Work on a machine of the inventory that is no run: it is leased while it is under way, and only that long.
import type { Clock } from '../effects/clock.ts';
import type { SshLink } from '../effects/ssh.ts';
import { keepLease } from '../hosts/metal/keep.ts';
import { guarded, type HeldLease, takeSurely } from '../hosts/metal/lease.ts';
import { reach, reachWithin } from '../hosts/metal/reach.ts';
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

/** In which a network that was cut for a moment is there again. */
const AGAIN_MS = 60_000;

/**
 * Leases a machine that nobody has, or that a process of this machine left that is gone.
 * @param use gets a link whose every command is refused once the lease is somebody else's
 * @throws InfraError `leased`, `lease-lost`, `lease-kept`, `ssh-failed`, `ssh-refused`, `host-key`
 */
export async function withMachine<T>(
  host: LabHost,
  { clock, purpose, take, msMax, signal }: HandsOn,
  use: (link: SshLink, lease: HeldLease) => Promise<T>,
): Promise<T> {
  let link = await reach(host);
  const anew = async () => {
    link = await reachWithin(clock, host, AGAIN_MS);
    return link;
  };
  try {
    const terms = { clock, purpose, force: take, waitMs: 0, onlyFree: true, orphan: true, signal };
    const lease = await takeSurely(host, link, terms, anew);
    const work = new Work(clock);
    const stop = new AbortController();
    const keeping = keepLease({ clock, work, lease: () => lease, link: () => link, stop: stop.signal });
    let failed = true;
    try {
      const used = await work.step(msMax, () => use(guarded(link, lease), lease));
      failed = false;
      return used;
    } finally {
      stop.abort();
      await keeping;
      const given = giveBack(lease, link, anew);
      // What went wrong first is what counts.
      await (failed ? given.catch(() => {}) : given);
    }
  } finally {
    link.close();
  }
}

// --- internal ---

async function giveBack(lease: HeldLease, link: SshLink, anew: () => Promise<SshLink>): Promise<void> {
  if (lease.lost !== undefined || (await lease.drop(link)) === undefined) return;
  link.close();
  await lease.mustDrop(await anew().catch(() => link));
}

// SPDX-License-Identifier: GPL-2.0-only
// The right to use a host now. A host that exists once is leased to one run at a time; an embedded one is made anew
// for everybody who asks.
import { inCache } from '../effects/dirs.ts';
import { takeLock } from '../effects/lock.ts';
import type { Host, LeaseRequest } from '../hosts/host.ts';
import type { EventSink } from '../model/events.ts';

export interface Lease {
  release(): Promise<void>;
  /** While `doing` goes on, for at most `ms`, the holder is at work though it asks nothing of the host. */
  during<T>(ms: number, doing: () => Promise<T>): Promise<T>;
}

/**
 * @param more what a host that keeps its lease itself is told
 * @throws InfraError when another run does not give the host back; InterruptedError
 */
export async function takeLease(
  host: Host,
  sink: EventSink,
  signal: AbortSignal,
  more: Partial<Pick<LeaseRequest, 'purpose' | 'run'>> = {},
): Promise<Lease> {
  const during: Lease['during'] = (_, doing) => doing();
  if (!host.exclusive) return { release: async () => {}, during };
  const onWait = (holder: string) =>
    sink({ type: 'note', text: `${host.name} is leased to ${holder}; waiting for it` });
  if (host.lease !== undefined) {
    const held = await host.lease({ purpose: 'kvm-hil run', ...more, onWait, signal });
    return { during, ...held };
  }
  const lock = await takeLock(inCache('leases', host.name), {
    signal,
    onWait: () => onWait('another run'),
  });
  return { release: () => lock.release(), during };
}

// SPDX-License-Identifier: GPL-2.0-only
// The right to use a host now. A host that exists once is leased to one run at a time; an embedded one is made anew
// for everybody who asks.
import { inCache } from '../effects/dirs.ts';
import { takeLock } from '../effects/lock.ts';
import type { Host } from '../hosts/host.ts';
import type { EventSink } from '../model/events.ts';

export interface Lease {
  release(): Promise<void>;
}

/** @throws InfraError when another run does not give the host back; InterruptedError */
export async function takeLease(host: Host, sink: EventSink, signal: AbortSignal): Promise<Lease> {
  if (!host.exclusive) return { release: async () => {} };
  const onWait = (holder: string) =>
    sink({ type: 'note', text: `${host.name} is leased to ${holder}; waiting for it` });
  if (host.lease !== undefined) return host.lease({ purpose: 'kvm-hil run', onWait, signal });
  return takeLock(inCache('leases', host.name), {
    signal,
    onWait: () => onWait('another run'),
  });
}

// SPDX-License-Identifier: GPL-2.0-only
// kvm-hil hosts release: gives a machine back that nobody uses any more.
import { realClock } from '../effects/clock.ts';
import { releaseHost } from '../run/host-release.ts';
import { onEach } from './hosts-each.ts';

/** @returns the exit code */
export async function hostsReleaseCommand(
  selectors: readonly string[],
  o: { take?: boolean },
): Promise<number> {
  return onEach(selectors, async (host, { sink, signal }) => {
    const onWait = (holder: string) =>
      sink({ type: 'note', text: `${host.name} is leased to ${holder}; waiting whether that goes on` });
    const how = { clock: realClock, take: o.take === true, onWait, signal };
    return `${host.name}: ${await releaseHost(host, how)}\n`;
  });
}

// SPDX-License-Identifier: GPL-2.0-only
// kvm-hil hosts power: switches machines of the inventory, or says whether they are on.
import { realClock } from '../effects/clock.ts';
import { type PowerVerb, switchPower } from '../run/host-power.ts';
import { onEach } from './hosts-each.ts';
import { namedOption } from './options.ts';

const VERBS: Readonly<Record<PowerVerb, PowerVerb>> = {
  on: 'on',
  off: 'off',
  cycle: 'cycle',
  status: 'status',
};

/** @returns the exit code */
export async function hostsPowerCommand(
  what: string,
  selectors: readonly string[],
  o: { take?: boolean },
): Promise<number> {
  const verb = namedOption('power', what, VERBS);
  const take = o.take === true;
  return onEach(selectors, async (host, { signal }) => {
    return `${host.name}: ${await switchPower(host, verb, { clock: realClock, take, signal })}\n`;
  });
}

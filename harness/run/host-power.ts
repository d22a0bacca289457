// SPDX-License-Identifier: GPL-2.0-only
// Switching machines of the inventory by hand. To switch one off under somebody's feet is refused: who does it has its
// lease, or it does not answer and nobody is known to have it.
import type { Clock } from '../effects/clock.ts';
import { InfraError, UsageError } from '../errors.ts';
import { takeLease } from '../hosts/metal/lease.ts';
import { type Power, powerOf } from '../hosts/metal/power.ts';
import { ANSWERED, reachWithin } from '../hosts/metal/reach.ts';
import { maySwitch } from '../hosts/metal/wake.ts';
import { type LabHost, restartMs } from '../model/lab.ts';

export type PowerVerb = 'on' | 'off' | 'cycle' | 'status';

export interface PowerOptions {
  clock: Clock;
  /** Though somebody else has it. */
  take: boolean;
  signal: AbortSignal;
}

/** A machine that is up answers at once. */
const ANSWERS_MS = 10_000;

/**
 * @returns what became of it, in a few words
 * @throws UsageError `no-power`; InfraError `leased`, `no-holder`, `power-failed`, `ssh-failed` when it does not come up
 */
export async function switchPower(host: LabHost, verb: PowerVerb, o: PowerOptions): Promise<string> {
  const power = powerOf(o.clock, host);
  if (power === undefined) {
    throw new UsageError({
      code: 'no-power',
      message: `nothing switches ${host.name}: it has no power`,
      hint: `say in ${host.file} how it is switched`,
    });
  }
  if (verb === 'status') return power.status();
  if (verb === 'on') {
    await power.on();
    return 'on';
  }
  return switchLeased(host, power, verb, o);
}

// --- internal ---

async function switchLeased(
  host: LabHost,
  power: Power,
  verb: 'off' | 'cycle',
  { clock, take, signal }: PowerOptions,
): Promise<string> {
  const purpose = `kvm-hil hosts power ${verb}`;
  const terms = { clock, purpose, force: take, waitMs: 0, onlyFree: true, orphan: true, signal };
  const link = await reachWithin(clock, host, ANSWERS_MS, signal, ANSWERED).catch(async (error: unknown) => {
    const silent = error instanceof InfraError && error.code === 'ssh-failed';
    if (!take && !silent) throw error;
    if (silent) await maySwitch(host, power, { ...terms, onWait: () => {} }, error);
    return undefined;
  });
  if (link === undefined) {
    await power[verb]();
    if (verb === 'off') return 'off';
    (await reachWithin(clock, host, restartMs(host), signal)).close();
    return 'on, and it answers';
  }
  const lease = await takeLease(host, link, terms).catch((error: unknown) => {
    link.close();
    throw error;
  });
  try {
    // Nobody can take one that is off.
    if (verb === 'off') await lease.mustDrop(link);
    await power[verb]();
  } catch (error) {
    await lease.drop(link);
    throw error;
  } finally {
    link.close();
  }
  if (verb === 'off') return 'off';
  const again = await reachWithin(clock, host, restartMs(host), signal);
  try {
    // What it had in memory may have been newer than what its disk says.
    const now = await takeLease(host, again, { ...terms, supersedes: lease.token });
    await now.mustDrop(again);
  } finally {
    again.close();
  }
  return 'on, and it answers';
}

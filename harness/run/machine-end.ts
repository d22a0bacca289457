// SPDX-License-Identifier: GPL-2.0-only
// What became of a machine whose connection broke, which is known before anybody has looked.
import { type Clock, within } from '../effects/clock.ts';
import type { Machine } from '../hosts/host.ts';
import type { Death } from '../model/verdict.ts';

/** In which a machine whose connection is gone says how it ended: a driver may have to look for it. */
const HOW_IT_ENDED_MS = 60_000;

/** Undefined when it did not say in time. */
export async function howItEnded(clock: Clock, machine: Machine): Promise<Death | undefined> {
  const timed = await within(clock, HOW_IT_ENDED_MS, machine.died);
  return timed.timedOut ? undefined : timed.value;
}

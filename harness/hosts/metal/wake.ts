// SPDX-License-Identifier: GPL-2.0-only
// A machine as it is found: one that answers is left as it is, one that does not is switched off and on, but only if
// nobody else can be at work there.
import type { Clock } from '../../effects/clock.ts';
import type { SshLink } from '../../effects/ssh.ts';
import { InfraError } from '../../errors.ts';
import { type LabHost, restartMs } from '../../model/lab.ts';
import { EXPIRES_MS, hasMoved } from '../../model/lease.ts';
import type { LeaseRequest } from '../host.ts';
import { isOrphan, leaseCopy } from './lease.ts';
import { type Power, powerOf } from './power.ts';
import { reachWithin } from './reach.ts';
import { unknownHolder } from './refusals.ts';

export interface WakeOptions extends LeaseRequest {
  clock: Clock;
  /** Whoever has it. */
  force: boolean;
  /** A process of this machine that is gone has it no more, whatever it was for. */
  orphan: boolean;
}

/** A machine that nobody uses answers at once. */
const UNREACHABLE_MS = 60_000;

/** @throws InfraError `ssh-failed`, `no-holder`, `host-key`, `power-failed` */
export async function wake(host: LabHost, o: WakeOptions): Promise<SshLink> {
  const { clock, signal } = o;
  try {
    return await reachWithin(clock, host, UNREACHABLE_MS, signal);
  } catch (error) {
    const power = powerOf(clock, host);
    if (!(error instanceof InfraError) || error.code !== 'ssh-failed' || power === undefined) throw error;
    await maySwitch(host, power, o, error);
    await power.cycle();
    return reachWithin(clock, host, restartMs(host), signal);
  }
}

/**
 * Who has a machine that does not answer is only known from the copy of its lease here.
 * @throws `why` when its holder goes on; InfraError `no-holder`
 */
export async function maySwitch(host: LabHost, power: Power, o: WakeOptions, why: InfraError): Promise<void> {
  if (o.force) return;
  const seen = await leaseCopy(host);
  if (seen === undefined) {
    // It is nobody's here, and may be somebody's elsewhere. Nobody is at work on one that is off.
    if ((await power.status()) !== 'off') throw unknownHolder(host, why);
    return;
  }
  if (!seen.held || isOrphan(seen, o)) return;
  if (o.onlyFree === true) throw why;
  o.onWait(seen.owner);
  await o.clock.sleep(EXPIRES_MS, o.signal);
  const now = await leaseCopy(host);
  if (now !== undefined && hasMoved(seen, now)) throw why;
}

// SPDX-License-Identifier: GPL-2.0-only
// A machine as it is found: one that answers is left as it is, one that does not is switched off and on, but only if
// nobody else can be at work there. What hears a key on its console is spared that.
import type { Clock } from '../../effects/clock.ts';
import type { SshLink } from '../../effects/ssh.ts';
import { InfraError } from '../../errors.ts';
import { type LabHost, restartMs } from '../../model/lab.ts';
import { EXPIRES_MS, hasMoved } from '../../model/lease.ts';
import type { LeaseRequest } from '../host.ts';
import { isOrphan, leaseCopy } from './lease.ts';
import { type Power, powerOf } from './power.ts';
import { ANSWERED, reachWithin } from './reach.ts';
import { unknownHolder } from './refusals.ts';
import { openSerial, resetByKey, takesKeys } from './serial.ts';

export interface WakeOptions extends LeaseRequest {
  clock: Clock;
  /** Whoever has it. */
  force: boolean;
  /** A process of this machine that is gone has it no more, whatever it was for. */
  orphan: boolean;
}

/** A machine that nobody uses answers at once. */
const UNREACHABLE_MS = 60_000;
/** A BMC ends the session of somebody else first. */
const OPENS_MS = 5000;

/** @throws InfraError `ssh-failed`, `ssh-refused`, `no-holder`, `host-key`, `power-failed` */
export async function wake(host: LabHost, o: WakeOptions): Promise<SshLink> {
  const { clock, signal } = o;
  try {
    return await reachWithin(clock, host, UNREACHABLE_MS, signal, ANSWERED);
  } catch (error) {
    if (!isSilent(error)) throw error;
    const power = powerOf(clock, host);
    if (power === undefined && !takesKeys(host)) throw error;
    await maySwitch(host, power, o, error);
    const woken = await byKey(host, o);
    if (woken !== undefined) return woken;
    if (power === undefined) throw error;
    await power.cycle();
    return reachWithin(clock, host, restartMs(host), signal);
  }
}

/**
 * Who has a machine that does not answer is only known from the copy of its lease here.
 * @throws `why` when its holder goes on; InfraError `no-holder`
 */
export async function maySwitch(
  host: LabHost,
  power: Power | undefined,
  o: WakeOptions,
  why: InfraError,
): Promise<void> {
  if (o.force) return;
  const seen = await leaseCopy(host);
  if (seen === undefined) {
    // It is nobody's here, and may be somebody's elsewhere. Nobody is at work on one that is off.
    if ((await power?.status()) !== 'off') throw unknownHolder(host, why);
    return;
  }
  if (!seen.held || isOrphan(seen, o)) return;
  if (o.onlyFree === true) throw why;
  o.onWait(seen.owner);
  await o.clock.sleep(EXPIRES_MS, o.signal);
  const now = await leaseCopy(host);
  if (now !== undefined && hasMoved(seen, now)) throw why;
}

// --- internal ---

function isSilent(error: unknown): error is InfraError {
  return error instanceof InfraError && error.code === 'ssh-failed';
}

async function byKey(host: LabHost, { clock, signal }: WakeOptions): Promise<SshLink | undefined> {
  const serial = takesKeys(host) ? openSerial(clock, host) : undefined;
  if (serial === undefined) return undefined;
  try {
    await clock.sleep(OPENS_MS, signal);
    if (!(await resetByKey(clock, serial))) return undefined;
  } finally {
    serial.close();
  }
  return reachWithin(clock, host, restartMs(host), signal).catch((error: unknown) => {
    if (isSilent(error)) return undefined;
    throw error;
  });
}

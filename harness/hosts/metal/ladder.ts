// SPDX-License-Identifier: GPL-2.0-only
// The way back to the known-good kernel, rung by rung: the machine is asked, then told by a key on its console, then switched
// off and on. One that all of that does not bring home is marked bad.
import type { Clock } from '../../effects/clock.ts';
import type { SshLink } from '../../effects/ssh.ts';
import { type HilError, messageOf, UsageError } from '../../errors.ts';
import { type LabHost, restartMs } from '../../model/lab.ts';
import { type ConsoleLog, consoleNote } from '../console.ts';
import { markBad } from './bad.ts';
import { homeWithin, mustBeKnown, RESET } from './home.ts';
import type { HeldLease } from './lease.ts';
import { powerOf } from './power.ts';
import { isGone } from './reach.ts';
import { hostBad } from './refusals.ts';
import { type OpenSerial, resetByKey } from './serial.ts';

export interface Away {
  clock: Clock;
  host: LabHost;
  lease: HeldLease | undefined;
  /** To whatever runs there; undefined when there is none. It is closed, unless it is what is returned. */
  link: SshLink | undefined;
  /** Boot id of the known-good kernel that was asked to go: as long as it answers, the machine is not home. */
  leaving: string | undefined;
  /** Release of the known-good kernel, once it was seen. */
  known: string | undefined;
  serial: OpenSerial | undefined;
  console: ConsoleLog | undefined;
  /** It answered nothing for a whole deadline. */
  silent: boolean;
}

const COMMAND_TIMEOUT_MS = 30_000;
/** What has been silent for a whole deadline is not on its way. */
const SILENT_MS = 20_000;
/** A machine that resets itself says no good-bye: its connections just fall silent. */
const RESET_MS = 3000;
/** Exit status of what asks a machine to come home. */
const IS_HOME = 3;

/** @returns a link to the known-good kernel, or why the machine must not be used any more */
export async function bringHome(away: Away): Promise<{ link: SshLink } | { bad: HilError }> {
  try {
    return { link: await byAsking(away) };
  } catch (error) {
    away.link?.close();
    return byForce(away, error);
  }
}

// --- internal ---

async function byAsking(away: Away): Promise<SshLink> {
  const { clock, host, lease, link: was, leaving } = away;
  if (lease?.lost !== undefined) throw lease.lost;
  const hasPower = powerOf(clock, host) !== undefined;
  let patienceMs = away.silent && hasPower ? SILENT_MS : restartMs(host);
  if (was !== undefined) {
    // Only a kernel of ours has no disk to let go of.
    const ask = `${lease?.guard() ?? ''}case $(uname -r) in *-kvmhil-*) ${RESET} ;; *) uname -r; exit ${IS_HOME} ;; esac`;
    const asked = await was.exec(ask, { timeoutMs: COMMAND_TIMEOUT_MS });
    lease?.check(asked);
    if (asked.exitCode === IS_HOME && leaving === undefined) {
      mustBeKnown(host, asked.stdout.trim(), away.known);
      return was;
    }
    if (asked.exitCode === 0) await isGone(clock, was, RESET_MS);
    // It hears nothing any more. To switch it off while it resets itself does no harm.
    else if (asked.exitCode === null && hasPower) patienceMs = SILENT_MS;
    was.close();
  }
  return home(away, patienceMs);
}

async function byForce(away: Away, why: unknown): Promise<{ link: SshLink } | { bad: HilError }> {
  const { clock, host, lease, serial, console } = away;
  try {
    if (lease?.lost !== undefined) throw lease.lost;
    // What is missing on this side says nothing of the machine.
    if (why instanceof UsageError) throw why;
    // No command is there that the machine could refuse.
    await lease?.mustBeOurs();
    console?.add(consoleNote(clock.wall(), 'it does not come home: asked by a key, then by its power'));
    if (await resetByKey(clock, serial)) {
      const link = await home(away, restartMs(host)).catch(() => undefined);
      if (link !== undefined) return { link };
    }
    const power = powerOf(clock, host);
    if (power === undefined) throw why;
    await lease?.mustBeOurs();
    console?.add(consoleNote(clock.wall(), 'switched off and on'));
    await power.cycle();
    return { link: await home(away, restartMs(host)) };
  } catch (error) {
    const bad = hostBad(host, `it does not come back to its own kernel: ${messageOf(error)}`);
    // A machine that was taken from us is for its new holder to judge.
    if (lease?.lost === undefined) await markBad(host, messageOf(bad));
    return { bad };
  }
}

function home({ clock, host, lease, leaving, known }: Away, ms: number): Promise<SshLink> {
  return homeWithin(clock, host, ms, { guard: lease?.guard() ?? '', leaving, known });
}

// SPDX-License-Identifier: GPL-2.0-only
// Home is the machine's own kernel, the known-good one: waited for, and asked for again where a kernel of ours answers.
import type { Clock } from '../../effects/clock.ts';
import type { SshLink } from '../../effects/ssh.ts';
import { InfraError } from '../../errors.ts';
import { type LabHost, restartMs } from '../../model/lab.ts';
import { reachWithin, whoAnswers } from './reach.ts';

export interface HomeOptions {
  /** In front of what changes the machine. */
  guard: string;
  /** Boot id of the known-good kernel that was asked to go: as long as it answers, the machine is not home. */
  leaving: string | undefined;
  /** Release of the known-good kernel, once it was seen. */
  known: string | undefined;
}

/** Restarts a kernel that has no disk to let go of. */
export const RESET =
  'echo 1 >/proc/sys/kernel/sysrq; (sleep 0.3; echo b >/proc/sysrq-trigger) </dev/null >/dev/null 2>&1 &';
const COMMAND_TIMEOUT_MS = 30_000;
const AGAIN_MS = 1000;

/** As the localversion of our images says. */
export function isOurs(release: string | undefined): boolean {
  return release?.includes('-kvmhil-') === true;
}

/** @throws InfraError `ssh-failed`, `host-key`, `still-ours`, `wrong-kernel` */
export async function homeWithin(clock: Clock, host: LabHost, ms: number, o: HomeOptions): Promise<SshLink> {
  let until = clock.now() + ms;
  let told = false;
  for (;;) {
    const link = await reachWithin(clock, host, Math.max(0, until - clock.now()));
    const answering = await whoAnswers(link, COMMAND_TIMEOUT_MS);
    const stays = answering !== undefined && answering.bootId !== o.leaving;
    if (stays && !isOurs(answering.release)) {
      try {
        mustBeKnown(host, answering.release, o.known);
        return link;
      } catch (error) {
        link.close();
        throw error;
      }
    }
    if (stays) {
      // It was the network that failed, or it was late: from now on it gets the time that a restart takes.
      await link.exec(`${o.guard}${RESET}`, { timeoutMs: COMMAND_TIMEOUT_MS });
      if (!told) until = Math.max(until, clock.now() + restartMs(host));
      told = true;
    }
    link.close();
    if (clock.now() >= until)
      throw new InfraError({ code: 'still-ours', message: 'it still runs the kernel under test' });
    await clock.sleep(AGAIN_MS);
  }
}

/**
 * Another kernel than before: its boot order was changed, or it was installed anew. It is not as we found it.
 * @throws InfraError `wrong-kernel`
 */
export function mustBeKnown(host: LabHost, release: string | undefined, known: string | undefined): void {
  if (known === undefined || release === '' || release === known) return;
  throw new InfraError({
    code: 'wrong-kernel',
    message: `${host.name} came up with ${release?.slice(0, 100) ?? '?'} and not with its own kernel ${known}`,
  });
}

// SPDX-License-Identifier: GPL-2.0-only
// On the known-good kernel again: what the kernel under test left behind is kept, what its boot method left is taken away.
import type { Clock } from '../../effects/clock.ts';
import type { SshLink } from '../../effects/ssh.ts';
import { type HilError, InfraError, messageOf } from '../../errors.ts';
import type { Survey } from '../../model/survey.ts';
import { type ConsoleLog, consoleNote } from '../console.ts';
import { markBad } from './bad.ts';
import type { HeldLease } from './lease.ts';
import { tidyOnce } from './once.ts';
import { sinceThen } from './pstore.ts';
import { hostBad } from './refusals.ts';

export interface Tidied {
  /** What is new in pstore. */
  left: string;
  /** Why the machine must not be used any more: nobody knows what it boots. */
  bad?: HilError;
  /** It did not answer to the end: it may be asked again. */
  unheard?: InfraError;
}

/**
 * @param link each of its commands is refused once the lease is lost: guarded()
 * @param before the machine's own answers before it went to the kernel under test; undefined when it did not go there
 * @param console gets what is found in pstore as well
 */
export async function tidy(
  clock: Clock,
  link: SshLink,
  lease: HeldLease,
  before: Survey | undefined,
  console: ConsoleLog | undefined,
): Promise<Tidied> {
  let left = '';
  try {
    if (before !== undefined) left = await sinceThen(link, lease.guard(), before);
    if (left !== '') {
      console?.add(consoleNote(clock.wall(), 'left in pstore'));
      console?.add(Buffer.from(left));
    }
    await tidyOnce(link, lease);
    return { left };
  } catch (error) {
    // It is for its new holder to judge.
    if (lease.lost !== undefined) return { left };
    if (error instanceof InfraError && error.code === 'ssh-failed') return { left, unheard: error };
    const bad = hostBad(lease.host, messageOf(error));
    await markBad(lease.host, messageOf(bad));
    return { left, bad };
  }
}

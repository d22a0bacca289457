// SPDX-License-Identifier: GPL-2.0-only
// On the known-good kernel again: what the kernel under test left behind is kept, what its boot method left is taken away.
import type { SshLink } from '../../effects/ssh.ts';
import { type HilError, messageOf } from '../../errors.ts';
import type { Survey } from '../../model/survey.ts';
import type { ConsoleLog } from '../console.ts';
import { markBad } from './bad.ts';
import type { HeldLease } from './lease.ts';
import { tidyOnce } from './once.ts';
import { sinceThen } from './pstore.ts';
import { hostBad } from './refusals.ts';

/**
 * @param before the machine's own answers before it went to the kernel under test; undefined when it did not go there
 * @param console gets what is found in pstore as well
 * @returns what is new in pstore; and why the machine must not be used any more: nobody knows what it boots
 */
export async function tidy(
  link: SshLink,
  lease: HeldLease,
  before: Survey | undefined,
  console: ConsoleLog | undefined,
): Promise<{ left: string; bad: HilError | undefined }> {
  let left = '';
  try {
    if (before !== undefined) left = await sinceThen(link, lease.guard(), before);
    if (left !== '') console?.add(Buffer.from(`\n[kvm-hil: left in pstore]\n${left}`));
    await tidyOnce(link, lease);
    return { left, bad: undefined };
  } catch (error) {
    // It is for its new holder to judge.
    if (lease.lost !== undefined) return { left, bad: undefined };
    const bad = hostBad(lease.host, messageOf(error));
    await markBad(lease.host, messageOf(bad));
    return { left, bad };
  }
}

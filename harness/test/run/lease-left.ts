// SPDX-License-Identifier: GPL-2.0-only
// A lease whose holder is gone, as the copy in the state folder tells of it.
import { inState } from '../../effects/dirs.ts';
import { readIfThere, writeWhole } from '../../effects/files.ts';

export function leaseCopyOf(host: string): string {
  return inState('labs', 'test', host, 'lease');
}

/** As if another process had taken it, that is gone now. */
export async function holderDies(host: string): Promise<void> {
  const text = (await readIfThere(leaseCopyOf(host))) ?? '';
  await writeWhole(leaseCopyOf(host), text.replace(/^(holder=.* )\d+$/m, '$11'));
}

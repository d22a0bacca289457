// SPDX-License-Identifier: GPL-2.0-only
// What makes a folder a Linux source tree, as far as this tool needs it.
import { UsageError } from '../errors.ts';

/** Without these there is nothing to configure, and no KVM to test. */
export const PARTS = ['Makefile', 'Kconfig', 'scripts/kconfig', 'virt/kvm'] as const;

/** `7.3.0-rc2` of `VERSION = 7`, `PATCHLEVEL = 3`, ... at the top of the Makefile; undefined when it has none. */
export function versionOf(makefile: string): string | undefined {
  const value = (name: string) => new RegExp(`^${name} *= *(\\S*)$`, 'm').exec(makefile)?.[1];
  const [version, patch] = [value('VERSION'), value('PATCHLEVEL')];
  if (version === undefined || patch === undefined || !/^\d+$/.test(version + patch)) return undefined;
  return `${version}.${patch}.${value('SUBLEVEL') || '0'}${value('EXTRAVERSION') ?? ''}`;
}

/** @param missing of PARTS */
export function notAKernelTree(what: string, missing: readonly string[]): UsageError {
  const why = missing.length === 0 ? 'its Makefile has no VERSION' : `it has no ${missing.join(', ')}`;
  return new UsageError({
    code: 'not-a-kernel-tree',
    message: `${what} is not a Linux source tree: ${why}`,
    hint: 'the Makefile, Kconfig and virt/kvm of Linux are looked for at its top',
  });
}

// SPDX-License-Identifier: GPL-2.0-only
// The one door to zx, for the scripts of this folder.
import { $ as zx } from 'zx';

/** Runs a command quietly; interpolated values are quoted. Check `exitCode`: nothing is thrown. */
export const $ = zx({ nothrow: true, quiet: true, env: { ...process.env, LC_ALL: 'C' } });

export function say(text: string): void {
  process.stderr.write(`kvm-hil: ${text}\n`);
}

// SPDX-License-Identifier: GPL-2.0-only
// The one door to zx, for the scripts of this folder.
import { $ as zx } from 'zx';

/** Runs a command quietly; interpolated values are quoted. Check `exitCode`: nothing is thrown. */
export const $ = zx({ nothrow: true, quiet: true, env: { ...process.env, LC_ALL: 'C' } });

export function say(text: string): void {
  process.stderr.write(`kvm-hil: ${text}\n`);
}

/** What a command printed. @throws Error with the last that it complained about */
export async function must(command: PromiseLike<Ran>): Promise<string> {
  const ran = await command;
  if (ran.exitCode === 0) return ran.stdout;
  throw new Error(ran.stderr.trim().split('\n').slice(-SHOWN_LINES).join('\n') || `status ${ran.exitCode}`);
}

// --- internal ---

interface Ran {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

/** What fails prints last. */
const SHOWN_LINES = 20;

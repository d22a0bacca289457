// SPDX-License-Identifier: GPL-2.0-only
// Machines that did not come back: marked with the reason, and left alone until somebody has looked.
import { rm } from 'node:fs/promises';
import { inState } from '../../effects/dirs.ts';
import { readIfThere, writeWhole } from '../../effects/files.ts';
import type { LabHost } from '../../model/lab.ts';

const WHY_CHARS_MAX = 1000;

export async function markBad(host: LabHost, why: string): Promise<void> {
  await writeWhole(markOf(host), `${why.slice(0, WHY_CHARS_MAX)}\n`);
}

/** Why the machine must not be used; undefined when it may. */
export async function whyBad(host: LabHost): Promise<string | undefined> {
  return (await readIfThere(markOf(host)))?.trim();
}

export async function clearBad(host: LabHost): Promise<void> {
  await rm(markOf(host), { force: true });
}

// --- internal ---

function markOf(host: LabHost): string {
  return inState('labs', host.lab, host.name, 'bad');
}

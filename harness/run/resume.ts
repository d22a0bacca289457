// SPDX-License-Identifier: GPL-2.0-only
// How far a run got whose runner is gone: from its events alone, each of which was on disk before the next step began.

import { takeLock } from '../effects/lock.ts';
import type { RunDir } from '../effects/run-dir.ts';
import { InfraError, UsageError } from '../errors.ts';

export interface Standing {
  /** Units that are over, second look included: their files are whole. */
  done: Set<string>;
  /** Units that were begun and are not over: the runner died, or was stopped, while they ran. */
  open: Set<string>;
}

export async function standingOf(run: RunDir): Promise<Standing> {
  const done = new Set<string>();
  const open = new Set<string>();
  for (const event of await run.events()) {
    if (event.type === 'case.attempted') open.add(event.unit);
    if (event.type === 'case.withdrawn') open.delete(event.unit);
    if (event.type === 'case.done') {
      done.add(event.unit);
      open.delete(event.unit);
    }
  }
  return { done, open };
}

/**
 * The right to write to a run folder: one runner at a time. It is given back when the runner ends, however it ends.
 * @throws UsageError `run-busy`
 */
export async function holdRun(run: RunDir): Promise<{ release(): Promise<void> }> {
  try {
    return await takeLock(run.path('lock'), { waitMsMax: BUSY_MS });
  } catch (error) {
    if (!(error instanceof InfraError) || error.code !== 'lock-timeout') throw error;
    throw new UsageError({
      code: 'run-busy',
      message: `${run.id} is being run right now`,
      hint: 'wait for it, or stop it first',
      cause: error,
    });
  }
}

/** A lock that is free is taken at once. */
const BUSY_MS = 2000;

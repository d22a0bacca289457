// SPDX-License-Identifier: GPL-2.0-only
// Logs of commands that have no run folder: each has one of its own, and the newest few are kept under the cache.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { realClock } from './clock.ts';
import { inCache } from './dirs.ts';
import { makeFolder, writeWhole } from './files.ts';
import { isAlive } from './temporary.ts';

/** Folders of logs that are kept of commands that have ended. */
const KEPT_MAX = 9;

/**
 * An empty log that nobody else writes to.
 * @param name `build-base.log`
 * @returns its path: `logs/<time>.<process>.<chance>/build-base.log` in the cache
 */
export async function newLog(name: string): Promise<string> {
  const logs = inCache('logs');
  await makeFolder(logs);
  await dropOld(logs);
  const stamp = realClock.wall().toISOString().replace(/[-:]/g, '').replace(/\.\d+/, '');
  const file = path.join(await mkdtemp(path.join(logs, `${stamp}.${process.pid}.`)), name);
  await writeWhole(file, '');
  return file;
}

// --- internal ---

// What has no such name is of an older kvm-hil, and sorts as it likes: it is bounded with the rest.
async function dropOld(logs: string): Promise<void> {
  const ended = (await readdir(logs)).filter((name) => !isAlive(Number(name.split('.')[1])));
  for (const name of ended.sort().reverse().slice(KEPT_MAX))
    await rm(path.join(logs, name), { recursive: true, force: true });
}

// SPDX-License-Identifier: GPL-2.0-only
// Temporary folders below the cache. Their names tell whose they are, so that what a killed run left is swept by the next.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { inCache } from './dirs.ts';
import { makeFolder } from './files.ts';

let swept: Promise<void> | undefined;

/** Runs `body` with a folder that is gone afterwards, however `body` ends. */
export async function withTemporaryFolder<T>(body: (folder: string) => Promise<T>): Promise<T> {
  swept ??= sweep();
  await swept;
  await makeFolder(inCache('tmp'));
  const folder = await mkdtemp(path.join(inCache('tmp'), `${process.pid}.`));
  try {
    return await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Whether a process has this id; false for what is no id. */
export function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

// --- internal ---

async function sweep(): Promise<void> {
  await makeFolder(inCache('tmp'));
  for (const name of await readdir(inCache('tmp'))) {
    if (!isAlive(Number(name.split('.', 1)[0])))
      await rm(inCache('tmp', name), { recursive: true, force: true });
  }
}

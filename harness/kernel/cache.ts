// SPDX-License-Identifier: GPL-2.0-only
// The cache folder as a list of things that can go: images, bases, object folders, programs. Oldest first.
import { readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { inCache } from '../effects/dirs.ts';
import { run } from '../effects/exec.ts';
import { exists } from '../effects/files.ts';
import { type LockOptions, withLock } from '../effects/lock.ts';

export interface CacheEntry {
  /** Path below the cache folder. */
  name: string;
  bytes: number;
  usedAt: Date;
}

/** Folders whose children are entries of their own. */
const KINDS = ['bases', 'images', 'programs', 'selftests', 'self-checks'] as const;

/** @returns entries, the longest unused first */
export async function listCache(): Promise<CacheEntry[]> {
  const entries: CacheEntry[] = [];
  for (const kind of KINDS) {
    if (!(await exists(inCache(kind)))) continue;
    for (const name of await readdir(inCache(kind))) {
      // A name with a dot in front is a base in the making.
      if (name.endsWith('.lock') || name.startsWith('.')) continue;
      entries.push(await measure(`${kind}/${name}`));
    }
  }
  for (const name of ['ccache', 'apt']) if (await exists(inCache(name))) entries.push(await measure(name));
  return entries.sort((a, b) => a.usedAt.getTime() - b.usedAt.getTime());
}

/**
 * Removes the longest unused entries until the rest fits. A base is removed under its lock, so never while it is built from.
 */
export async function trimCache(bytesMax: number): Promise<CacheEntry[]> {
  const entries = await listCache();
  let total = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  const removed: CacheEntry[] = [];
  for (const entry of entries) {
    if (total <= bytesMax) break;
    if (entry.name.startsWith('bases/')) {
      await withLock(inCache(`${entry.name}.lock`), {}, () => discardBase(path.basename(entry.name)));
    } else await rm(inCache(entry.name), { recursive: true, force: true });
    total -= entry.bytes;
    removed.push(entry);
  }
  return removed;
}

/** Notes that an entry was used now. Best effort: an entry that somebody removed meanwhile is made again. */
export async function touchCache(folder: string): Promise<void> {
  const now = new Date();
  await utimes(folder, now, now).catch(() => {});
}

// Nobody takes a folder with a dot in front for a base, so it may be made or go in pieces, or be left half-way by one who
// was killed.
export function hiddenBase(id: string): string {
  return inCache('bases', `.${id}.${process.pid}`);
}

/** The locks in a base's folder. Who needs both takes them in this order. */
export const BASE_LOCKS = { build: 'lock', apply: 'apply.lock' } as const;

/** Takes a base away in one step, once nobody builds from it or applies to it. The caller holds the lock beside it. */
export async function discardBase(id: string, o: LockOptions = {}): Promise<void> {
  const lock = (name: string, body: () => Promise<void>) => withLock(inCache('bases', id, name), o, body);
  await lock(BASE_LOCKS.build, () =>
    lock(BASE_LOCKS.apply, async () => {
      const gone = hiddenBase(id);
      await rm(gone, { recursive: true, force: true });
      await rename(inCache('bases', id), gone);
      await rm(gone, { recursive: true, force: true });
    }),
  );
}

// --- internal ---

async function measure(name: string): Promise<CacheEntry> {
  const folder = inCache(name);
  const used = await stat(folder);
  const size = await run('du', ['--summarize', '--bytes', folder]);
  return { name: path.normalize(name), bytes: Number(size.stdout.split('\t', 1)[0]), usedAt: used.mtime };
}

// SPDX-License-Identifier: GPL-2.0-only
// kvm-hil cache: what is kept under the XDG cache folder, and how to make it smaller.
import { cacheRoot } from '../effects/dirs.ts';
import { table } from '../effects/table.ts';
import { UsageError } from '../errors.ts';
import { listCache, trimCache } from '../kernel/cache.ts';

const GIB = 1024 ** 3;

export async function cacheListCommand(): Promise<number> {
  const entries = await listCache();
  const rows = entries.map((entry) => [
    entry.name,
    gib(entry.bytes),
    entry.usedAt.toISOString().slice(0, 16).replace('T', ' '),
  ]);
  const total = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  process.stdout.write(table([cacheRoot(), 'GiB', 'last used'], [...rows, ['total', gib(total), '']]));
  return 0;
}

export async function cacheTrimCommand(o: { size: string }): Promise<number> {
  const size = Number(o.size);
  if (!Number.isFinite(size) || size < 0) {
    throw new UsageError({ code: 'bad-number', message: `--size ${o.size} is not a number of GiB` });
  }
  const removed = await trimCache(size * GIB);
  for (const entry of removed) process.stdout.write(`removed ${entry.name}, ${gib(entry.bytes)} GiB\n`);
  if (removed.length === 0) process.stdout.write('nothing had to go\n');
  return 0;
}

function gib(bytes: number): string {
  return (bytes / GIB).toFixed(2);
}

// SPDX-License-Identifier: GPL-2.0-only
// What a killed git or a failing disk leaves in a base's repository: noticed, and put right where that is possible.
// The caller holds the base's lock, so nobody else is at work there.
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { lastLines, ranOut } from '../effects/exec.ts';
import { git } from '../effects/git.ts';
import { type Base, condemnBase } from './source.ts';

/** Where git keeps the locks of what is changed here: index, HEAD, configuration, refs. */
const LOCKED = ['', 'refs/kvm-hil'];

/** Takes away the locks of a git that is gone. */
export async function dropGitLocks(tree: string): Promise<void> {
  for (const folder of LOCKED) {
    const place = path.join(tree, '.git', folder);
    for (const name of await readdir(place).catch(() => [])) {
      if (name.endsWith('.lock')) await rm(path.join(place, name), { force: true });
    }
  }
}

/**
 * Moves the work tree of a base to a commit, touching only the files that differ.
 * @throws InfraError `broken-base` when the repository is damaged, `no-space`; InterruptedError
 */
export async function moveTree(
  base: Base,
  tree: string,
  commit: string,
  signal?: AbortSignal,
): Promise<void> {
  await dropGitLocks(tree);
  const move = () => git(tree, ['checkout', '--quiet', '--force', '--detach', commit], { signal });
  if (!(await move()).failed) return;
  // An index that was cut short: made anew from the commit that the files are at, so that those of them that are right
  // keep their time, and need not be compiled again.
  await rm(path.join(tree, '.git', 'index'), { force: true });
  await git(tree, ['read-tree', 'HEAD'], { signal });
  await git(tree, ['update-index', '-q', '--refresh'], { signal });
  const again = await move();
  if (again.failed) throw ranOut(again) ?? (await condemnBase(base, lastLines(again.stderr, 3)));
}

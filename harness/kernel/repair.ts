// SPDX-License-Identifier: GPL-2.0-only
// What a killed git or a failing disk leaves in a base's repository: noticed, and put right where that is possible.
// Apply and build are at work in it at the same time, each under a lock of its own and with locks of git of its own.
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { lastLines, ranOut } from '../effects/exec.ts';
import { git } from '../effects/git.ts';
import { type Base, condemnBase } from './source.ts';

/** Where git keeps the locks of what applying changes: configuration, refs. */
const APPLIED_IN = ['', 'refs/kvm-hil'];
/** What moving the work tree changes, and nothing else does. */
const TREE_LOCKS = ['index.lock', 'HEAD.lock'];

/** What git says of a patch ends otherwise, or begins with a name of the patch's. */
const DAMAGE = new RegExp(
  `^(?:error|fatal): (?:${[
    String.raw`object file \S+ is empty`,
    String.raw`(?:loose|packed) object [0-9a-f]+ \(stored in \S+\) is corrupt`,
    String.raw`unable to (?:unpack|read|open loose object) (?:sha1 |tree )?\(?[0-9a-f]{40,64}\)?.*`,
    'failed to read [^:]+',
  ].join('|')})$`,
  'm',
);

/** Takes away the locks of a git that is gone, but those of the work tree. The caller holds applyLock(). */
export async function dropGitLocks(tree: string): Promise<void> {
  for (const folder of APPLIED_IN) {
    const place = path.join(tree, '.git', folder);
    for (const name of await readdir(place).catch(() => [])) {
      const isOfTree = folder === '' && TREE_LOCKS.includes(name);
      if (name.endsWith('.lock') && !isOfTree) await rm(path.join(place, name), { force: true });
    }
  }
}

/** What git says when objects of its own are lost or damaged; undefined when it complains of anything else. */
export function repositoryDamage(stderr: string): string | undefined {
  return DAMAGE.exec(stderr)?.[0];
}

/**
 * Moves the work tree of a base to a commit, touching only the files that differ. The caller holds baseLock().
 * @throws InfraError `broken-base` when the repository is damaged, `no-space`; InterruptedError
 */
export async function moveTree(
  base: Base,
  tree: string,
  commit: string,
  signal?: AbortSignal,
): Promise<void> {
  for (const name of TREE_LOCKS) await rm(path.join(tree, '.git', name), { force: true });
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
